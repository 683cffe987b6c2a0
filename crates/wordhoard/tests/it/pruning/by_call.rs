use serde_json::{Value, json};

use super::{CALL, KEY, administered, assert_consistent, end_of, old, prune};
use crate::database::Database;
use crate::planted::{DAY_MS, Planted, now_ms};

const RUNNING_NOW: &str = "UPDATE llm_requests SET status = 'running', finished_at = NULL, event_count = NULL,
    lanes_completed = NULL, attempt_count = NULL, token_count = NULL, input_tokens = NULL, output_tokens = NULL
    WHERE request_id = ";

#[tokio::test]
async fn of_sqlite_takes_what_is_old_and_nothing_else() {
    old_goes_and_the_rest_stays(&Database::Sqlite).await;
}

#[tokio::test]
async fn of_postgresql_takes_what_is_old_and_nothing_else() {
    old_goes_and_the_rest_stays(&Database::postgres().await).await;
}

async fn old_goes_and_the_rest_stays(database: &Database) {
    let home = administered(database);
    let old = old(200, 30);
    old.plant(database, &home).await;
    let running = old.id(100);
    database.execute(&home, &format!("{RUNNING_NOW}{}", database.id(&running))).await;
    let server = home.start().unwrap();
    let client = server.client().with_key(KEY).unwrap();
    let new = client.submit("new [demo tokens=20 rate=1000]", &["demo:brisk"]).await.unwrap();
    let seen = client.read_to_end(&new, None).await.unwrap();

    let report = prune(&home, &["--dry-run"]);
    assert_eq!((&report["requests"], &report["tokens"]), (&199.into(), &(199 * 30).into()), "{report}");
    let first = format!("/api/llm/requests/{}", old.id(0));
    assert_eq!(client.get(&first).await.unwrap().status, 200, "a dry run removes nothing");

    // Kept for longer than the youngest of them is old: those of ten days go, two a day, and the one at the end of it.
    let report = prune(&home, &["--days", "290"]);
    assert_eq!(report["requests"], 21, "{report}");
    assert_consistent(&home);
    assert_eq!(client.get(&first).await.unwrap().status, 410);
    assert_eq!(client.get(&format!("/api/llm/requests/{}", old.id(199))).await.unwrap().status, 200);

    let begun = client.post(CALL, &json!({ "retention_days": 180 })).await.unwrap();
    assert_eq!(begun.status, 202, "{}", begun.body);
    let operation = end_of(&client, begun.location.as_deref().unwrap()).await;
    let report = &operation["result"];
    assert_eq!((&report["requests"], &report["attempts"]), (&178.into(), &178.into()), "{operation}");
    if matches!(database, Database::Postgres(_)) {
        assert!(report["partitions"].as_u64() >= Some(8), "{operation}");
    }
    for number in [0, 50, 199] {
        let path = format!("/api/llm/requests/{}", old.id(number));
        let gone = client.get(&path).await.unwrap();
        assert_eq!((gone.status, &gone.body["type"]), (410, &"urn:wordhoard:problem:pruned".into()));
        assert_eq!(client.post(&format!("{path}/cancel"), &Value::Null).await.unwrap().status, 410);
        assert_eq!(client.follow(&old.id(number), None).await.unwrap_err().to_string(), "status 410");
    }
    // One that never was, of the same time, is no more known than one that is gone; a new one that never was is.
    let never = Planted { first_ms: now_ms() - DAY_MS, ..old };
    assert_eq!(client.get(&format!("/api/llm/requests/{}", never.id(1))).await.unwrap().status, 404);

    let document = client.get(&format!("/api/llm/requests/{running}")).await.unwrap().body;
    assert_eq!((&document["status"], &document["server"]["state"]), (&"running".into(), &"gone".into()));
    assert_eq!(document["lanes"][0]["attempts"][0]["token_count"], 30, "{document}");
    assert_eq!(client.read_to_end(&new, None).await.unwrap(), seen);
    assert_consistent(&home);
    assert_eq!(prune(&home, &[])["requests"], 0);
    let text = home.run(&["prune", "--dry-run"]).unwrap();
    assert!(String::from_utf8_lossy(&text.stdout).starts_with("0 requests, 0 attempts and 0 tokens"));
}

#[tokio::test]
async fn a_bad_body_is_told_and_removes_nothing() {
    let home = administered(&Database::Sqlite);
    old(10, 3).plant(&Database::Sqlite, &home).await;
    let server = home.start().unwrap();
    let client = server.client().with_key(KEY).unwrap();
    for (body, field) in [
        (json!({ "retention_days": 0 }), "retention_days"),
        (json!({ "retention_days": -1 }), "retention_days"),
        (json!({ "retention_days": 36_501 }), "retention_days"),
        (json!({ "retention_days": 1.5 }), "retention_days"),
        (json!({ "retention_days": "180" }), "retention_days"),
        (json!({ "dry_run": "yes" }), "dry_run"),
        (json!({ "days": 1 }), "days"),
    ] {
        let refused = client.post(CALL, &body).await.unwrap();
        assert_eq!(
            (refused.status, &refused.body["field"]),
            (422, &field.into()),
            "{body}: {}",
            refused.body
        );
    }
    assert_eq!(client.post(CALL, &json!([])).await.unwrap().status, 422);
    assert_eq!(server.client().post(CALL, &json!({})).await.unwrap().status, 401);
    assert_eq!(prune(&home, &["--dry-run"])["requests"], 10);
    for bad in [["--days", "0"], ["--days", "-1"], ["--days", "40000"], ["--days", "all"]] {
        assert_eq!(home.run(&["prune", bad[0], bad[1]]).unwrap().status.code(), Some(2), "{bad:?}");
    }
    let dry = client.post(CALL, &json!({ "dry_run": true })).await.unwrap();
    let operation = end_of(&client, dry.location.as_deref().unwrap()).await;
    assert_eq!(
        (&operation["result"]["requests"], &operation["result"]["dry_run"]),
        (&10.into(), &true.into())
    );
    assert_eq!(prune(&home, &["--dry-run"])["requests"], 10);
}

#[tokio::test]
async fn one_prunes_at_a_time_and_each_run_is_recorded() {
    let home = administered(&Database::Sqlite);
    old(10, 3).plant(&Database::Sqlite, &home).await;
    let server = home.start().unwrap();
    let client = server.client().with_key(KEY).unwrap();
    let lock = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(home.data_dir().join("wordhoard.db.prune.lock"))
        .unwrap();
    lock.lock().unwrap();
    assert_eq!(client.post(CALL, &json!({})).await.unwrap().status, 409);
    let refused = home.run(&["prune"]).unwrap();
    assert_eq!(refused.status.code(), Some(4), "{}", String::from_utf8_lossy(&refused.stderr));
    lock.unlock().unwrap();
    assert_eq!(prune(&home, &[])["requests"], 10);
    let begun = client.post(CALL, &json!([])).await.unwrap();
    assert_eq!(begun.status, 422, "a body that is not an object");
    let begun = client.http().post(client.url(CALL)).send().await.unwrap();
    assert_eq!(begun.status(), 202);
    let location = begun.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(end_of(&client, &location).await["status"], "finished");
    let connection = rusqlite::Connection::open(home.data_dir().join("wordhoard.db")).unwrap();
    let sql = "SELECT group_concat(outcome) FROM maintenance_runs WHERE job = 'prune'";
    let runs: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(runs, "finished,finished");
}

#[tokio::test]
async fn the_log_is_rotated_on_demand() {
    let home = administered(&Database::Sqlite);
    let server = home.start().unwrap();
    let client = server.client().with_key(KEY).unwrap();
    let path = "/api/admin/maintenance/wal-rotate";
    assert_eq!(server.client().post(path, &Value::Null).await.unwrap().status, 401);
    let id = client.submit("rotated [demo tokens=200 rate=100]", &["demo:brisk"]).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let rotated = client.post(path, &Value::Null).await.unwrap();
    assert_eq!((rotated.status, &rotated.body["rotated"]), (200, &true.into()), "{}", rotated.body);
    let newest = |when: &str| rotated.body[when].as_array().unwrap().last().unwrap()["first"].as_u64();
    assert!(newest("after") > newest("before"), "{}", rotated.body);
    assert_eq!(client.wait_for_end(&id).await.unwrap()["status"], "completed");
    // With nothing to record there is nothing to begin a segment with.
    let idle = client.post(path, &Value::Null).await.unwrap();
    assert_eq!((idle.status, &idle.body["rotated"]), (200, &false.into()), "{}", idle.body);
    assert_consistent(&home);
}

/// The log still has what SQL does not have any more: that is no loss, and is not put back.
#[tokio::test]
async fn what_was_pruned_is_not_missed_and_not_put_back() {
    let home = administered(&Database::Sqlite);
    let mut server = home.start().unwrap();
    let client = server.client();
    let [gone, half_gone] =
        ["gone", "half gone"].map(|prompt| format!("{prompt} [demo tokens=20 rate=1000]"));
    let gone = client.submit(&gone, &["demo:brisk"]).await.unwrap();
    let half_gone = client.submit(&half_gone, &["demo:brisk"]).await.unwrap();
    for id in [&gone, &half_gone] {
        client.wait_for_end(id).await.unwrap();
    }
    server.terminate().unwrap();
    server.wait(std::time::Duration::from_secs(20)).unwrap();
    let floor = now_ms() + 1;
    let mut sql = format!("INSERT INTO maintenance VALUES ('pruned', 0, {floor});");
    for (table, id) in
        [("token_log", &gone), ("attempts", &gone), ("requests", &gone), ("token_log", &half_gone)]
    {
        sql += &format!("DELETE FROM llm_{table} WHERE request_id = {};", Database::Sqlite.id(id));
    }
    Database::Sqlite.execute(&home, &sql).await;
    let output = home.run(&["check", "--full", "--repair", "--json"]).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["finding_count"]), (Some(0), &0.into()), "{report}");
    assert_eq!(report["repaired_events"], 0, "{report}");

    // Without the mark it is a loss.
    Database::Sqlite.execute(&home, "DELETE FROM maintenance WHERE name = 'pruned'").await;
    let output = home.run(&["check", "--full", "--repair", "--json"]).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["repaired_events"]), (Some(0), &44.into()), "{report}");
}
