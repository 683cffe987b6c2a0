//! Opening a log of 1 GiB, beside reading the same files and checksumming them.
#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(clippy::unwrap_used, reason = "a bench stops at the first error")]

use std::{fs::File, io::Read, path::Path, sync::Arc, time::Instant};

use wordhoard_wal::{Options, OsDisk, Wal};

const SIZE: u64 = 1 << 30;

fn open(dir: &Path) -> (Wal, wordhoard_wal::Recovery) {
    Wal::open(Arc::new(OsDisk::new(dir).unwrap()), Options::default()).unwrap()
}

fn main() {
    let temp = tempfile::tempdir_in(".").unwrap();
    let (wal, _) = open(temp.path());
    let records = SIZE / 126;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for record in 0..records {
            if record % 64 == 0 {
                wal.has_room().await.unwrap();
            }
            wal.append(1, 1, &[record as u8; 120]).unwrap();
        }
    });
    wal.close();
    let names: Vec<_> = wal.segments().into_iter().map(|segment| segment.name).collect();
    drop(wal);

    println!("{:>10} {:>14} {:>14} {:>7}", "GiB", "open MiB/s", "read MiB/s", "ratio");
    for _ in 0..4 {
        let (bytes, read_s) = read_and_checksum(temp.path(), &names);
        let (wal, recovery) = open(temp.path());
        assert_eq!((recovery.durable.0, recovery.damage.len()), (records, 0));
        wal.close();
        let (opened, read) = (recovery.elapsed.as_secs_f64(), read_s);
        let mib = bytes as f64 / (1 << 20) as f64;
        println!(
            "{:>10.2} {:>14.0} {:>14.0} {:>6.0}%",
            mib / 1024.0,
            mib / opened,
            mib / read,
            100.0 * read / opened
        );
    }
}

fn read_and_checksum(dir: &Path, names: &[String]) -> (u64, f64) {
    let started = Instant::now();
    let mut buffer = vec![0; 1 << 20];
    let (mut bytes, mut crc) = (0, 0);
    for name in names {
        let mut file = File::open(dir.join(name)).unwrap();
        loop {
            let count = file.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            crc = crc32c::crc32c_append(crc, &buffer[..count]);
            bytes += count as u64;
        }
    }
    assert_ne!(crc, 0);
    (bytes, started.elapsed().as_secs_f64())
}
