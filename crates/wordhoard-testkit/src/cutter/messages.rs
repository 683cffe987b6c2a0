use std::ops::Range;

/// Reads along what a client of PostgreSQL sends, in whatever pieces it comes. A stream that is not of that protocol,
/// or that turns to TLS, is not read.
#[derive(Debug, Default)]
pub(super) struct Messages {
    phase: Phase,
    head: Vec<u8>,
    /// How much of the current message's body is still to come.
    left: usize,
    /// The body, where it is of a message that carries SQL.
    sql: Option<Vec<u8>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Messages without a type: length and code.
    #[default]
    Startup,
    /// Messages of type and length.
    Session,
    Unreadable,
}

impl Messages {
    /// The part of `piece` that belongs to each message with a `COMMIT` that ends in it.
    pub(super) fn commits(&mut self, piece: &[u8]) -> Vec<Range<usize>> {
        let (mut found, mut start, mut at) = (Vec::new(), 0, 0);
        while at < piece.len() && self.phase != Phase::Unreadable {
            if self.head.len() < self.head_bytes() {
                self.head.push(piece[at]);
                at += 1;
                if self.head.len() == self.head_bytes() {
                    self.open();
                }
            } else {
                let taken = self.left.min(piece.len() - at);
                self.sql.iter_mut().for_each(|sql| sql.extend_from_slice(&piece[at..at + taken]));
                self.left -= taken;
                at += taken;
            }
            if self.head.len() == self.head_bytes() && self.left == 0 {
                if self.close() {
                    found.push(start..at);
                }
                start = at;
            }
        }
        found
    }

    fn head_bytes(&self) -> usize {
        if self.phase == Phase::Startup { 8 } else { 5 }
    }

    /// The head is whole: what follows?
    fn open(&mut self) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let readable = if self.phase == Phase::Startup {
            let (length, code) = (number(&self.head[..4]), number(&self.head[4..]));
            self.left = length.wrapping_sub(8);
            // Protocol 3, or a request for a cancellation or for encryption, which has no body to speak of.
            (8..=10_000).contains(&length) && (code >> 16 == 3 || (80_877_102..=80_877_104).contains(&code))
        } else {
            let length = number(&self.head[1..]);
            self.left = length.wrapping_sub(4);
            self.sql = matches!(self.head[0], b'Q' | b'P').then(Vec::new);
            length >= 4
        };
        if !readable {
            self.phase = Phase::Unreadable;
        }
    }

    /// The message is whole: whether it says `COMMIT`.
    fn close(&mut self) -> bool {
        if self.phase == Phase::Startup && self.head[4..6] == [0, 3] {
            self.phase = Phase::Session;
        }
        self.head.clear();
        self.sql.take().is_some_and(|sql| says_commit(&sql))
    }
}

/// Whether the word is in it, other than in `ON COMMIT DROP`.
fn says_commit(sql: &[u8]) -> bool {
    let words = sql.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    let mut before: &[u8] = b"";
    words.filter(|word| !word.is_empty()).any(|word| {
        let on = std::mem::replace(&mut before, word).eq_ignore_ascii_case(b"ON");
        !on && word.eq_ignore_ascii_case(b"COMMIT")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &str) -> Vec<u8> {
        let length = u32::try_from(body.len() + 5).unwrap().to_be_bytes();
        [&[kind][..], &length, body.as_bytes(), &[0]].concat()
    }

    /// Two that count, and four that only look so.
    fn session() -> (Vec<u8>, Vec<Range<usize>>) {
        let mut sent = vec![0, 0, 0, 8, 4, 210, 22, 47];
        sent.extend([&[0, 0, 0, 16, 0, 3, 0, 0][..], b"user\0me\0"].concat());
        let mut commits = Vec::new();
        for (kind, body, counts) in [
            (b'Q', "CREATE TEMP TABLE t (n int) ON COMMIT DROP", false),
            (b'd', "COMMIT", false),
            (b'Q', "INSERT INTO t VALUES (1); commit;", true),
            (b'Q', "SELECT committed, commit_time", false),
            (b'P', "s1\0COMMIT\0", true),
            (b'B', "\0s1\0COMMIT", false),
        ] {
            let start = sent.len();
            sent.extend(message(kind, body));
            if counts {
                commits.push(start..sent.len());
            }
        }
        (sent, commits)
    }

    #[test]
    fn commits_are_found_wherever_the_stream_is_split() {
        let (sent, commits) = session();
        for first in 0..=sent.len() {
            for second in first..=sent.len() {
                let mut messages = Messages::default();
                let (mut offset, mut found) = (0, Vec::new());
                for piece in [&sent[..first], &sent[first..second], &sent[second..]] {
                    let parts = messages.commits(piece);
                    found.extend(parts.into_iter().map(|part| (part.start + offset, part.end + offset)));
                    offset += piece.len();
                }
                assert_eq!(found.len(), commits.len(), "split at {first} and {second}");
                for ((start, end), commit) in found.into_iter().zip(&commits) {
                    assert_eq!(end, commit.end, "split at {first} and {second}");
                    let begun = [0, first, second].into_iter().filter(|cut| *cut < end).max().unwrap();
                    assert_eq!(start, commit.start.max(begun), "split at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn another_protocol_is_not_read() {
        let mut messages = Messages::default();
        assert!(messages.commits(b"POST /COMMIT HTTP/1.1\r\n").is_empty());
        assert!(messages.commits(&message(b'Q', "COMMIT")).is_empty());
    }
}
