//! Random operations against a model of what the log must still hold.

use proptest::{prelude::*, test_runner::FileFailurePersistence};
use wordhoard_wal::{FaultDisk, FaultPoint, Loss, Position, ReadError, ReleaseError, State, Wal};

use crate::rig::{open, wait};

#[derive(Clone, Debug)]
enum Step {
    Append { size: usize, count: usize },
    AwaitDurable,
    Read { max_bytes: usize },
    Rotate,
    Release { share: u8 },
    Close,
    Crash { loss: Loss },
    Fault { point: FaultPoint, skip: u32 },
    FullDisk,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let loss = prop_oneof![
        Just(Loss::Nothing),
        Just(Loss::Everything),
        any::<u64>().prop_map(Loss::Random),
        any::<u64>().prop_map(Loss::Random)
    ];
    let point = prop_oneof![
        3 => Just(FaultPoint::Sync),
        2 => Just(FaultPoint::Write),
        1 => Just(FaultPoint::SyncDirectory),
        1 => Just(FaultPoint::Rename),
        1 => Just(FaultPoint::Create),
    ];
    let step = prop_oneof![
        8 => (0..2000_usize, 1..20_usize).prop_map(|(size, count)| Step::Append { size, count }),
        4 => Just(Step::AwaitDurable),
        2 => (1..5000_usize).prop_map(|max_bytes| Step::Read { max_bytes }),
        2 => Just(Step::Rotate),
        1 => any::<u8>().prop_map(|share| Step::Release { share }),
        1 => Just(Step::Close),
        2 => loss.prop_map(|loss| Step::Crash { loss }),
        2 => (point, 0..4_u32).prop_map(|(point, skip)| Step::Fault { point, skip }),
        1 => Just(Step::FullDisk),
    ];
    prop::collection::vec(step, 1..60)
}

type Content = (u8, Vec<u8>);

/// The model: what was appended at each position, and how much of it was acknowledged.
struct World {
    disk: FaultDisk,
    wal: Option<Wal>,
    appended: Vec<Content>,
    acknowledged: u64,
    stamp: u64,
}

impl World {
    fn new() -> Self {
        let disk = FaultDisk::new();
        let (wal, _) = open(&disk);
        Self { disk, wal: Some(wal), appended: Vec::new(), acknowledged: 0, stamp: 0 }
    }

    fn wal(&self) -> &Wal {
        self.wal.as_ref().unwrap()
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Append { size, count } => self.append(*size, *count),
            Step::AwaitDurable => self.await_durable(),
            Step::Read { max_bytes } => self.check_contents(*max_bytes),
            Step::Rotate => self.wal().rotate(),
            Step::Release { share } => self.release(*share),
            Step::Close => {
                self.wal().close();
                self.restart(Loss::Everything);
            }
            Step::Crash { loss } => self.restart(*loss),
            Step::Fault { point, skip } => self.disk.fail(*point, "", *skip, 5),
            Step::FullDisk => self.fill_disk(),
        }
        self.note_acknowledged();
        if matches!(self.wal().progress().state, State::Latched(_)) {
            self.reopen();
        }
    }

    fn append(&mut self, size: usize, count: usize) {
        for _ in 0..count {
            self.stamp += 1;
            let kind = (self.stamp % 251) as u8;
            let payload: Vec<u8> = self.stamp.to_le_bytes().into_iter().cycle().take(size).collect();
            match self.wal().append(kind, 3, &payload) {
                Ok(position) => {
                    assert_eq!(position.0, self.appended.len() as u64, "positions have no gap");
                    self.appended.push((kind, payload));
                }
                Err(_) => return,
            }
        }
    }

    fn await_durable(&self) {
        if let Some(last) = self.wal().queued().0.checked_sub(1) {
            let outcome = wait(self.wal().durable(Position(last)));
            let progress = self.wal().progress();
            assert_eq!(outcome.is_ok(), progress.durable.0 > last, "{outcome:?} {progress:?}");
        }
    }

    fn note_acknowledged(&mut self) {
        let durable = self.wal().progress().durable.0;
        assert!(durable >= self.acknowledged && durable <= self.appended.len() as u64);
        self.acknowledged = durable;
    }

    fn release(&self, share: u8) {
        let through = Position(self.wal().progress().durable.0 * u64::from(share) / 255);
        // Planned faults of the directory's fsync may hit it; the call may be repeated.
        while let Err(error) = self.wal().release(through) {
            assert!(matches!(error, ReleaseError::Disk(_)), "{error}");
        }
    }

    fn fill_disk(&mut self) {
        self.disk.set_space_bytes(Some(0));
        self.append(1500, 20);
        self.await_durable();
        self.disk.set_space_bytes(None);
    }

    fn reopen(&mut self) {
        self.note_acknowledged();
        self.disk.heal();
        let recovery = self.wal().reopen().unwrap();
        assert_eq!((recovery.durable.0, recovery.damage.len()), (self.acknowledged, 0));
        // What was not acknowledged is gone, and its positions are free.
        self.appended.truncate(self.acknowledged as usize);
        self.check_contents(4096);
    }

    fn restart(&mut self, loss: Loss) {
        let before = self.wal().progress();
        if matches!(before.state, State::Open) {
            self.note_acknowledged();
        }
        self.disk.lose_power(loss);
        // The old process may still have had a commit in flight; its handles are dead, so it adds nothing.
        let old = self.wal.take().unwrap();
        self.acknowledged = self.acknowledged.max(old.progress().durable.0);
        drop(old);
        self.disk.heal();
        let (wal, recovery) = open(&self.disk);
        assert_eq!(recovery.damage, vec![]);
        assert!(recovery.durable.0 >= self.acknowledged, "{} of {}", recovery.durable, self.acknowledged);
        assert!(recovery.durable.0 <= self.appended.len() as u64);
        self.appended.truncate(recovery.durable.0 as usize);
        self.acknowledged = recovery.durable.0;
        self.wal = Some(wal);
        self.check_contents(3000);
    }

    /// Every durable record is there once, in order, with the bytes that were appended.
    fn check_contents(&self, max_bytes: usize) {
        let first = self.wal().usage().first;
        let mut reader = self.wal().reader(first).unwrap();
        let mut next = first.0;
        loop {
            match reader.next_batch(max_bytes) {
                Ok(records) if records.is_empty() => break,
                Ok(records) => {
                    for record in records {
                        assert_eq!(record.position.0, next);
                        assert_eq!((record.kind, record.payload), self.appended[next as usize].clone());
                        next += 1;
                    }
                }
                Err(ReadError::Disk(fault)) => assert_eq!(fault.source.raw_os_error(), Some(5)),
                Err(error) => panic!("{error}"),
            }
        }
        assert!(next >= self.acknowledged, "{next} of {}", self.acknowledged);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 250,
        // A failure prints its seed and steps; the regressions file keeps them.
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/it/model.proptest-regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn acknowledged_records_outlive_whatever_happens(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.wal().close();
        world.restart(Loss::Everything);
    }
}
