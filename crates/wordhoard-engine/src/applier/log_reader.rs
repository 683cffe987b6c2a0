//! The log as batches for SQL, read ahead while SQL takes the last one.

use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;
use wordhoard_store::{Batch, LogKey};
use wordhoard_wal::{LogId, Position, ReadError, Reader, Record, Wal};

use crate::{quarantine, record};

/// Bytes of the log that one transaction takes at most: some 40,000 tokens, whose events take 10 MiB of memory while they are
/// applied.
const BATCH_BYTES: usize = 512 << 10;
/// Records behind a batch from which on the next one is read while SQL takes this one.
const READ_AHEAD_RECORDS: u64 = 10_000;

/// A batch as it was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) batch: Batch,
    /// Records that are not in it because they are damaged or unknown.
    pub(super) put_aside: u64,
}

type Step = Result<(Reader, Read), String>;

#[derive(Debug)]
pub(super) struct LogReader {
    wal: Wal,
    quarantine_dir: PathBuf,
    kept: Option<Reader>,
    ahead: Option<(Position, JoinHandle<Step>)>,
}

impl LogReader {
    pub(super) fn new(wal: Wal, quarantine_dir: PathBuf) -> Self {
        Self { wal, quarantine_dir, kept: None, ahead: None }
    }

    /// The records from `from` on, at least one of which is durable, as one batch.
    pub(super) async fn batch(&mut self, from: Position) -> Result<Read, String> {
        let step = match self.ahead.take() {
            Some((at, step)) if at == from => step,
            _ => self.start(from),
        };
        let (reader, read) = step.await.unwrap_or_else(|_| Err("decoding failed".into()))?;
        self.kept = Some(reader);
        let behind = self.wal.progress().durable.0.saturating_sub(read.batch.through);
        if behind >= READ_AHEAD_RECORDS {
            let next = Position(read.batch.through);
            self.ahead = Some((next, self.start(next)));
        }
        Ok(read)
    }

    /// Reads and decodes beside the async threads.
    fn start(&mut self, from: Position) -> JoinHandle<Step> {
        let (wal, kept) = (self.wal.clone(), self.kept.take().filter(|reader| reader.position() == from));
        let quarantine_dir = self.quarantine_dir.clone();
        tokio::task::spawn_blocking(move || {
            let reader = match kept {
                Some(reader) => reader,
                None => wal.reader(from).map_err(|error| error.to_string())?,
            };
            read(reader, from, wal.log_id(), &quarantine_dir)
        })
    }
}

fn read(mut reader: Reader, from: Position, log_id: LogId, quarantine_dir: &Path) -> Step {
    let log = LogKey(log_id.0);
    let read = match reader.next_batch(BATCH_BYTES) {
        Ok(records) => decode(log, from, &records, quarantine_dir, log_id)?,
        Err(ReadError::Damaged { missing }) => {
            tracing::error!(
                from = missing.start.0,
                to = missing.end.0,
                "records of the log are damaged and lost"
            );
            // An empty batch moves the applied position over the hole.
            let batch = Batch { log, from: from.0, through: missing.end.0, events: Vec::new() };
            Read { batch, put_aside: missing.end.0 - missing.start.0 }
        }
        Err(error) => return Err(error.to_string()),
    };
    Ok((reader, read))
}

/// Decodes records. What cannot be decoded is kept aside first; if that fails, nothing is passed over.
fn decode(
    log: LogKey,
    from: Position,
    records: &[Record],
    quarantine_dir: &Path,
    log_id: LogId,
) -> Result<Read, String> {
    let mut events = Vec::with_capacity(records.len());
    let mut put_aside = 0;
    for found in records {
        match record::decode_logged(found) {
            Ok(logged) => events.extend(logged),
            Err(error) => {
                quarantine::keep(quarantine_dir, log_id, found)
                    .map_err(|failed| format!("record {} cannot be put aside: {failed}", found.position))?;
                tracing::error!(position = found.position.0, %error, "a record cannot be applied and was put aside");
                put_aside += 1;
            }
        }
    }
    let through = records.last().map_or(from.0, |last| last.position.0 + 1);
    Ok(Read { batch: Batch { log, from: from.0, through, events }, put_aside })
}
