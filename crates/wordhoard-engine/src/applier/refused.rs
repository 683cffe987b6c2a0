//! A row that SQL refuses must not hold up what is behind it: it is found by halving its batch, and put aside.

use wordhoard_store::{Applied, Batch, Error, LoggedEvent};
use wordhoard_wal::{Position, Record};

use super::Applier;
use crate::{quarantine, record};

impl Applier {
    /// Applies a batch of which SQL refuses at least one row, without those rows.
    pub(super) async fn apply_around_refused(&self, batch: Batch) -> Result<Applied, Error> {
        let mut total = Applied::default();
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            match self.store.apply(part.clone()).await {
                Ok(applied) => {
                    total.inserted += applied.inserted;
                    total.already_there += applied.already_there;
                    total.conflicts.extend(applied.conflicts);
                    self.applied.send_replace(Position(part.through));
                }
                Err(Error::Refused(reason)) => match <[LoggedEvent; 1]>::try_from(part.events) {
                    Ok([refused]) => {
                        self.put_aside(refused, &reason)?;
                        parts.push(Batch {
                            log: part.log,
                            from: part.from,
                            through: part.through,
                            events: Vec::new(),
                        });
                    }
                    Err(events) => {
                        let (left, right) =
                            halves(Batch { log: part.log, from: part.from, through: part.through, events });
                        parts.extend([right, left]);
                    }
                },
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    fn put_aside(&self, refused: LoggedEvent, reason: &str) -> Result<(), Error> {
        let failed = |why: String| Error::Unavailable(format!("a refused record cannot be put aside: {why}"));
        let encoded =
            record::encode(refused.request_id, &refused.event).map_err(|error| failed(error.to_string()))?;
        let record = Record {
            position: Position(refused.position),
            kind: encoded.kind,
            version: encoded.version,
            payload: encoded.payload,
        };
        quarantine::keep(&self.settings.quarantine_dir, self.wal.log_id(), &record)
            .map_err(|error| failed(error.to_string()))?;
        tracing::error!(
            request_id = %refused.request_id, seq = refused.event.seq.0, position = refused.position, reason,
            "SQL refuses an event; it was put aside"
        );
        self.report.lock().quarantined += 1;
        Ok(())
    }
}

fn halves(mut batch: Batch) -> (Batch, Batch) {
    let right = batch.events.split_off(batch.events.len() / 2);
    let middle = right.first().map_or(batch.through, |event| event.position);
    let right = Batch { log: batch.log, from: middle, through: batch.through, events: right };
    (Batch { through: middle, ..batch }, right)
}
