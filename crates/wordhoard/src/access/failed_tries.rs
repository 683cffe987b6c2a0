use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Peers that are remembered.
const MAX_PEERS: usize = 1_000;
/// How often the log tells of one peer.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Counts wrong keys by peer and tells the log of them, once a minute for each. Nobody is locked out: a key of 256
/// random bits is not guessed, and behind one address (a proxy) there may be people with the right one.
#[derive(Clone, Debug, Default)]
pub(crate) struct FailedTries(Arc<Mutex<HashMap<IpAddr, Tries>>>);

#[derive(Debug)]
struct Tries {
    untold: u64,
    told_at: Instant,
}

impl FailedTries {
    /// Notes one more.
    pub(crate) fn note(&self, peer: IpAddr, now: Instant) {
        if let Some(count) = self.to_tell(peer, now) {
            tracing::warn!(%peer, count, "calls came with a wrong key");
        }
    }

    /// How many the log shall tell of now.
    fn to_tell(&self, peer: IpAddr, now: Instant) -> Option<u64> {
        let mut peers = self.0.lock();
        if !peers.contains_key(&peer) && peers.len() >= MAX_PEERS {
            peers.retain(|_, tries| now.saturating_duration_since(tries.told_at) < TOLD_EVERY);
            if peers.len() >= MAX_PEERS {
                return None;
            }
        }
        let Some(tries) = peers.get_mut(&peer) else {
            peers.insert(peer, Tries { untold: 0, told_at: now });
            return Some(1);
        };
        tries.untold += 1;
        if now.saturating_duration_since(tries.told_at) < TOLD_EVERY {
            return None;
        }
        tries.told_at = now;
        Some(std::mem::take(&mut tries.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_told_of_once_a_minute_and_not_more_than_so_many_are_remembered() {
        let tries = FailedTries::default();
        let start = Instant::now();
        let peer = |number: u32| IpAddr::from(number.to_be_bytes());
        assert_eq!(tries.to_tell(peer(1), start), Some(1));
        assert_eq!(tries.to_tell(peer(1), start), None);
        assert_eq!(tries.to_tell(peer(2), start), Some(1));
        assert_eq!(tries.to_tell(peer(1), start + TOLD_EVERY), Some(2));
        for number in 0..5_000 {
            tries.to_tell(peer(number), start + TOLD_EVERY);
        }
        assert_eq!(tries.0.lock().len(), MAX_PEERS);
        assert_eq!(tries.to_tell(peer(9_999), start + 3 * TOLD_EVERY), Some(1));
        assert_eq!(tries.0.lock().len(), 1);
    }
}
