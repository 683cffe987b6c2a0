use std::{sync::Arc, time::Duration};

use wordhoard_wal::{FaultDisk, Options, Position, ReadError, Record, Recovery, Wal};

/// Small segments, so that a few records rotate.
pub(crate) const SEGMENT_SIZE: u64 = 16 << 10;

pub(crate) fn options() -> Options {
    Options { segment_size_bytes: SEGMENT_SIZE, ..Options::default() }
}

pub(crate) fn open(disk: &FaultDisk) -> (Wal, Recovery) {
    Wal::open(Arc::new(disk.clone()), options()).unwrap()
}

/// Runs a future to its end; a log that hangs fails the test instead.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), future).await.expect("hangs") })
}

/// Payloads that differ in content and length.
pub(crate) fn payload(number: u64) -> Vec<u8> {
    let length = 20 + (number * 37 % 180) as usize;
    number.to_le_bytes().into_iter().cycle().take(length).collect()
}

/// Appends the record whose content belongs to its position.
pub(crate) fn append_one(wal: &Wal) -> Position {
    let next = wal.queued().0;
    let position = wal.append((next % 7) as u8, 1, &payload(next)).unwrap();
    assert_eq!(position, Position(next));
    position
}

/// Appends records in one go and gives the last position.
pub(crate) fn append_many(wal: &Wal, count: u64) -> Position {
    (0..count).for_each(|_| _ = append_one(wal));
    Position(wal.queued().0 - 1)
}

/// Appends records, each a batch of its own, all durable.
pub(crate) fn append_durably(wal: &Wal, count: u64) {
    for _ in 0..count {
        let position = append_one(wal);
        wait(wal.durable(position)).unwrap();
    }
}

pub(crate) fn assert_as_appended(record: &Record) {
    let number = record.position.0;
    assert_eq!((record.kind, record.version), ((number % 7) as u8, 1), "{number}");
    assert_eq!(record.payload, payload(number), "{number}");
}

/// What a reader gives from `from` to the durable end: positions, and the ranges said to be missing.
pub(crate) fn read_all(wal: &Wal, from: Position) -> (Vec<u64>, Vec<std::ops::Range<Position>>) {
    let mut reader = wal.reader(from).unwrap();
    let (mut positions, mut missing) = (Vec::new(), Vec::new());
    loop {
        match reader.next_batch(1000) {
            Ok(records) if records.is_empty() => return (positions, missing),
            Ok(records) => {
                for record in records {
                    assert_as_appended(&record);
                    positions.push(record.position.0);
                }
            }
            Err(ReadError::Damaged { missing: range }) => missing.push(range),
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) fn assert_holds_all(wal: &Wal, from: u64, to: u64) {
    let (positions, missing) = read_all(wal, Position(from));
    assert_eq!(missing, []);
    assert_eq!(positions, (from..to).collect::<Vec<_>>());
}

pub(crate) fn segments(disk: &FaultDisk) -> Vec<String> {
    use wordhoard_wal::Disk;
    disk.list().unwrap().into_iter().filter(|name| name.ends_with(".wal")).collect()
}
