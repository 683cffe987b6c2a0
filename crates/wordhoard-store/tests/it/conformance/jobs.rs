//! Maintenance jobs: one at a time, and their runs.

use wordhoard_model::Timestamp;
use wordhoard_store::{MaintenanceRun, RunId, RunOutcome, Store};

use crate::story::LOG;

fn run(number: u8, job: &str, started_at_ms: i64) -> MaintenanceRun {
    MaintenanceRun {
        id: RunId([number; 16]),
        job: job.to_owned(),
        log: LOG,
        started_at: Timestamp::from_millis(started_at_ms),
        finished_at: None,
        outcome: RunOutcome::Running,
        detail: None,
    }
}

pub async fn one_leads_a_job_at_a_time(store: &dyn Store) {
    let lease = store.lead("prune").await.unwrap().unwrap();
    assert!(lease.is_held());
    assert!(store.lead("prune").await.unwrap().is_none());
    drop(store.lead("backup").await.unwrap().unwrap());
    drop(lease);
    // A session that was dropped ends when the server notices.
    for _ in 0..500 {
        if store.lead("prune").await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the right to run the job was never given up");
}

pub async fn runs_are_kept_and_those_whose_server_ended_are_failed(store: &dyn Store) {
    let at = Timestamp::from_millis;
    store.begin_run(run(1, "prune", 1_000)).await.unwrap();
    store.begin_run(run(2, "backup", 2_000)).await.unwrap();
    store.begin_run(run(3, "prune", 3_000)).await.unwrap();
    let detail = "{\"requests\":7}".to_owned();
    store.end_run(RunId([3; 16]), at(3_500), RunOutcome::Finished, detail.clone()).await.unwrap();
    store.begin_run(run(4, "prune", 4_000)).await.unwrap();

    let runs = store.runs("prune", None, 10).await.unwrap();
    let told: Vec<_> = runs.iter().map(|run| (run.id.0[0], run.outcome, run.finished_at)).collect();
    assert_eq!(
        told,
        [
            (4, RunOutcome::Running, None),
            (3, RunOutcome::Finished, Some(at(3_500))),
            (1, RunOutcome::Failed, Some(at(3_000))),
        ]
    );
    assert_eq!((runs[1].detail.as_deref(), runs[1].log), (Some(detail.as_str()), LOG));
    assert!(runs[2].detail.as_ref().unwrap().contains("its server ended"), "{runs:?}");
    let finished = store.runs("prune", Some(RunOutcome::Finished), 1).await.unwrap();
    assert_eq!(finished, runs[1..2]);
    assert_eq!(store.runs("backup", None, 10).await.unwrap().len(), 1);
}

pub async fn a_schedule_counts_from_when_it_was_first_seen(store: &dyn Store) {
    let at = Timestamp::from_millis;
    assert_eq!(store.scheduled_since("prune", at(5_000)).await.unwrap(), at(5_000));
    assert_eq!(store.scheduled_since("prune", at(9_000)).await.unwrap(), at(5_000));
    assert_eq!(store.scheduled_since("backup", at(9_000)).await.unwrap(), at(9_000));
}
