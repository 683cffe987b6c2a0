use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    CommitStats, LogId, OpenError, Options, Position, Progress, Recovery, State,
    active::{Active, Birth},
    catalog::Catalog,
    disk::Disk,
    error::{During, Operation},
    format,
    progress::Marks,
    queue::Queue,
    recovery::{self, Recovered},
    reserve::{Reserve, Sizes},
    scan::{self, Survey},
    shared::Shared,
    writer::Writer,
};

/// Recovers the log on `disk` and makes ready to write.
pub(super) fn open(
    disk: Arc<dyn Disk>,
    options: Options,
) -> Result<(Arc<Shared>, Writer, Recovery), OpenError> {
    let started = Instant::now();
    remove_unfinished(&*disk)?;
    let mut survey = scan::survey(&*disk)?;
    let recovered = recovery::recover(&*disk, &mut survey)?;
    let created = survey.log_id.is_none() && survey.damage.is_empty();
    let log_id = match survey.log_id {
        Some(log_id) => log_id,
        None => new_log_id()?,
    };
    let mut recovery = Recovery {
        log_id,
        durable: survey.end,
        first: survey.end,
        segments: 0,
        torn_bytes: recovered.torn_bytes,
        torn_batches: recovered.torn_batches,
        damage: std::mem::take(&mut survey.damage),
        created,
        elapsed: Duration::ZERO,
    };
    let epoch = survey.segments.iter().map(|found| found.header.epoch).max().unwrap_or(0);
    let sizes = Sizes { first: options.first_segment_size_bytes, most: options.segment_size_bytes };
    let newest = survey.segments.last().map(|found| found.size_bytes);
    let reserve = Reserve::start(Arc::clone(&disk), sizes, newest).map_err(OpenError::Thread)?;
    let (catalog, active) = activate(&*disk, survey, &recovered, &reserve, log_id)?;
    recovery.first = catalog.first();
    recovery.segments = catalog.all().len();
    recovery.elapsed = started.elapsed();
    tracing::debug!(log_id = %log_id, first = recovery.first.0, durable = recovery.durable.0,
        segments = recovery.segments, torn_bytes = recovery.torn_bytes, damage = recovery.damage.len(),
        elapsed_ms = recovery.elapsed.as_millis() as u64, "log opened");
    let durable = recovery.durable;
    let shared = Arc::new(Shared {
        disk,
        queue: Queue::new(durable, options.batch_limit_bytes, options.sync),
        options,
        log_id,
        marks: Mutex::new(Marks::new(catalog.first(), durable)),
        catalog: Arc::new(catalog),
        stats: Mutex::new(CommitStats::default()),
        reserve,
        progress: watch::Sender::new(Progress { durable, state: State::Open, epoch }),
        last_fault: Mutex::new(None),
    });
    let writer = Writer::new(Arc::clone(&shared), active, epoch);
    Ok((shared, writer, recovery))
}

/// The segments found, and the one to write: the newest, or a fresh one where there is none or it is damaged.
fn activate(
    disk: &dyn Disk,
    mut survey: Survey,
    recovered: &Recovered,
    reserve: &Reserve,
    log_id: LogId,
) -> Result<(Catalog, Active), OpenError> {
    let epoch = survey.segments.iter().map(|found| found.header.epoch).max().unwrap_or(0);
    let newest = if recovered.can_continue { survey.segments.pop() } else { None };
    let catalog = Catalog::new(survey.segments, survey.lost);
    let active = match newest {
        Some(found) => Active::resume(disk, found)?,
        None => {
            let birth = Birth { log_id, base: survey.end, epoch, first_batch_bytes: 0 };
            let active = Active::create(disk, reserve.take(), birth)?;
            // The first two are alike.
            reserve.refill(0);
            active
        }
    };
    catalog.push(Arc::clone(&active.segment));
    Ok((catalog, active))
}

/// Verifies what was acknowledged and makes a fresh segment behind it. The log stays latched until [`resume`].
pub(super) fn reopen(shared: &Arc<Shared>) -> Result<(Writer, Recovery), OpenError> {
    let started = Instant::now();
    let durable = shared.durable();
    let damage = verify(shared, durable)?;
    let epoch = shared.progress.borrow().epoch.saturating_add(1);
    shared.reserve.refill(0);
    let birth = Birth { log_id: shared.log_id, base: durable, epoch, first_batch_bytes: 0 };
    let active = Active::create(&*shared.disk, shared.reserve.take(), birth)?;
    shared.reserve.refill(active.reserved_bytes);
    shared.catalog.push(Arc::clone(&active.segment));
    let recovery = Recovery {
        log_id: shared.log_id,
        durable,
        first: shared.catalog.first(),
        segments: shared.catalog.all().len(),
        torn_bytes: 0,
        torn_batches: 0,
        damage,
        created: false,
        elapsed: started.elapsed(),
    };
    Ok((Writer::new(Arc::clone(shared), active, epoch), recovery))
}

/// Takes records again, and says so. The queue opens first: who sees the new epoch can append.
pub(super) fn resume(shared: &Shared) {
    let durable = shared.durable();
    shared.queue.unlatch(durable);
    shared.progress.send_modify(|progress| {
        progress.epoch = progress.epoch.saturating_add(1);
        progress.state = State::Open;
    });
    tracing::info!(durable = durable.0, "log reopened");
}

/// Reads everything acknowledged again, from the device where that can be had. What was known to be missing may
/// be missing; nothing else.
fn verify(shared: &Shared, durable: Position) -> Result<Vec<recovery::Damage>, OpenError> {
    for segment in shared.catalog.all() {
        let file = shared.disk.open_read(&segment.name).during(Operation::Open, &segment.name)?;
        file.forget_cached();
    }
    let survey = scan::survey(&*shared.disk)?;
    if let Some(missing) =
        survey.damage.iter().find_map(|damage| newly_missing(shared, &damage.missing, durable))
    {
        return Err(OpenError::Lost { missing });
    }
    if survey.end < durable {
        return Err(OpenError::Lost { missing: survey.end..durable });
    }
    Ok(survey.damage)
}

fn newly_missing(shared: &Shared, missing: &Range<Position>, durable: Position) -> Option<Range<Position>> {
    let end = missing.end.min(durable);
    let mut at = missing.start.max(shared.catalog.first());
    while at < end {
        match shared.catalog.missing_from(at, durable) {
            Some(known) => at = known.end,
            None => return Some(at..end),
        }
    }
    None
}

fn new_log_id() -> Result<LogId, OpenError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| OpenError::Random(error.into()))?;
    Ok(LogId(id))
}

/// Removes what a crash left of segments in the making.
fn remove_unfinished(disk: &dyn Disk) -> Result<(), OpenError> {
    for name in disk.list().during(Operation::List, ".")? {
        if name.ends_with(".tmp") && format::segment_position(&name).is_none() {
            disk.remove(&name).during(Operation::Remove, &name)?;
        }
    }
    Ok(())
}
