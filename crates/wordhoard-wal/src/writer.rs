use std::{sync::Arc, time::Instant};

use crate::{
    Fault, Position,
    active::{Active, Birth},
    error::{During, Operation},
    format::{BATCH_HEADER_SIZE, Chunk, padded},
    queue::Work,
    shared::Shared,
};

/// The one thread that writes. It ends at the first fault and never touches its file again: dropping it drops
/// the only handle that can write.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
    active: Active,
    epoch: u32,
}

/// A writer that dies must not leave a log that takes records and never makes them durable.
struct LatchOnPanic(Arc<Shared>);

impl Drop for LatchOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason = std::io::Error::other("the thread that writes the log panicked");
            self.0.latch(Fault::new(Operation::Write, "the log", reason));
        }
    }
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, active: Active, epoch: u32) -> Self {
        Self { shared, active, epoch }
    }

    pub(crate) fn run(mut self) {
        // Declared first, so dropped last: by then no lock of ours is held.
        let _latch = LatchOnPanic(Arc::clone(&self.shared));
        loop {
            let outcome = match self.shared.queue.take() {
                Work::Batch { chunk, rotate } => self.commit(chunk, rotate),
                Work::Drained => {
                    if let Err(fault) = self.seal() {
                        self.shared.latch(fault);
                    }
                    return self.shared.publish_closed();
                }
                Work::Abandoned => return self.shared.publish_closed(),
            };
            if let Err(fault) = outcome {
                return self.shared.latch(fault);
            }
        }
    }

    /// Makes a batch durable and says so.
    fn commit(&mut self, mut chunk: Chunk, rotate: bool) -> Result<(), Fault> {
        let payload_size = chunk.payload_size();
        let size_bytes = padded((BATCH_HEADER_SIZE + payload_size) as u64);
        if rotate || !self.active.has_room(size_bytes) {
            self.rotate(chunk.first, size_bytes)?;
        }
        let started = Instant::now();
        self.write(&mut chunk)?;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.shared.stats.lock().note(chunk.records, size_bytes, micros);
        self.shared.queue.settle(payload_size, chunk);
        self.publish()
    }

    /// One write, one fdatasync.
    fn write(&mut self, chunk: &mut Chunk) -> Result<(), Fault> {
        let active = &mut self.active;
        let name = &active.segment.name;
        let (first, end, offset) = (chunk.first, chunk.end(), active.offset);
        let durable = self.shared.durable();
        let bytes = chunk.finish(active.segment.seed, active.next_number, durable);
        active.file.write_all_at(bytes, offset).during(Operation::Write, name)?;
        self.shared.marks.lock().advance_written(end).map_err(|order| out_of_order(name, order))?;
        active.file.sync_data().during(Operation::Sync, name)?;
        active.offset += bytes.len() as u64;
        active.next_number += 1;
        active.sealed = chunk.records == 0;
        active.segment.extend(first, end, offset, active.offset);
        Ok(())
    }

    fn publish(&self) -> Result<(), Fault> {
        self.shared.publish_durable().map_err(|order| out_of_order(&self.active.segment.name, order))
    }

    /// Goes on in a fresh segment, if there is one: without a spare the current one grows.
    fn rotate(&mut self, base: Position, first_batch_bytes: u64) -> Result<(), Fault> {
        if self.active.is_empty() {
            return Ok(());
        }
        let Some(spare) = self.shared.reserve.take() else {
            return Ok(());
        };
        let birth = Birth { log_id: self.shared.log_id, base, epoch: self.epoch, first_batch_bytes };
        self.active = Active::create(&*self.shared.disk, Some(spare), birth)?;
        self.shared.catalog.push(Arc::clone(&self.active.segment));
        self.shared.reserve.refill(self.active.reserved_bytes);
        Ok(())
    }

    /// Ends the log so that a later flipped bit in its last batch can be told from a torn write.
    fn seal(&mut self) -> Result<(), Fault> {
        if self.active.sealed || self.active.next_number == 0 {
            return Ok(());
        }
        let mut seal = Chunk::new(Vec::new(), self.shared.durable());
        self.write(&mut seal)
    }
}

fn out_of_order(file: &str, order: crate::progress::OutOfOrder) -> Fault {
    Fault::new(Operation::KeepOrder, file, std::io::Error::other(order))
}
