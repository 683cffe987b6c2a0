//! A line to the store that can be bad.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Passes bytes on, both ways, until so many have passed; then it breaks the connection, as often as it is told, and is
/// good again.
pub(super) struct Line {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    /// Bytes that still pass before the line breaks.
    until_break: AtomicU64,
    breaks_left: AtomicU64,
    again_after: u64,
    breaks: AtomicU64,
}

impl Line {
    /// To the store at `endpoint`. It breaks after each `bytes`, at most `breaks` times.
    pub(super) fn to(endpoint: &str, bytes: u64, breaks: u64) -> Self {
        let target: SocketAddr = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            until_break: AtomicU64::new(bytes),
            breaks_left: AtomicU64::new(breaks),
            again_after: bytes,
            breaks: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(store) = TcpStream::connect(target) else { continue };
                let (answers, caller) = (store.try_clone().unwrap(), client.try_clone().unwrap());
                for (from, to) in [(answers, caller), (client, store)] {
                    let state = Arc::clone(&shared);
                    thread::spawn(move || pass(from, to, &state));
                }
            }
        });
        Self { address, state }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often it has broken.
    pub(super) fn breaks(&self) -> u64 {
        self.state.breaks.load(Ordering::SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || state.breaks_now(count as u64) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}

impl State {
    fn breaks_now(&self, passed: u64) -> bool {
        let left = self.until_break.load(Ordering::SeqCst);
        if passed < left {
            self.until_break.store(left - passed, Ordering::SeqCst);
            return false;
        }
        let take = |left: u64| left.checked_sub(1);
        if self.breaks_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err() {
            return false;
        }
        self.until_break.store(self.again_after, Ordering::SeqCst);
        self.breaks.fetch_add(1, Ordering::SeqCst);
        true
    }
}
