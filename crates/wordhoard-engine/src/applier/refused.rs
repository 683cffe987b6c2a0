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
                    self.note_applied(Position(part.through));
                }
                Err(Error::Refused(reason)) => match part.halves() {
                    Ok((left, right)) => parts.extend([right, left]),
                    Err(refused) => {
                        self.put_aside(&refused.events, &reason)?;
                        parts.push(Batch { events: Vec::new(), ..refused });
                    }
                },
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    /// Puts the events of one record aside.
    fn put_aside(&self, refused: &[LoggedEvent], reason: &str) -> Result<(), Error> {
        let Some(first) = refused.first() else { return Ok(()) };
        let failed = |why: String| Error::Unavailable(format!("a refused record cannot be put aside: {why}"));
        let events: Vec<_> = refused.iter().map(|logged| logged.event.clone()).collect();
        let encoded = record::encode(first.request_id, &events).map_err(|error| failed(error.to_string()))?;
        let record = Record {
            position: Position(first.position),
            kind: encoded.kind,
            version: encoded.version,
            payload: encoded.payload,
        };
        quarantine::keep(&self.settings.quarantine_dir, self.wal.log_id(), &record)
            .map_err(|error| failed(error.to_string()))?;
        tracing::error!(
            request_id = %first.request_id, seq = first.event.seq.0, events = events.len(), position = first.position, reason,
            "SQL refuses a record; it was put aside"
        );
        self.report.lock().quarantined += 1;
        Ok(())
    }
}
