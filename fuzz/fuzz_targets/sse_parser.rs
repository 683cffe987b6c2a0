//! Any bytes, split anywhere, give the same events as in one piece, without a panic and within the size limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wordhoard_wire::sse::{Error, Event, Parser};

const MAX_EVENT_BYTES: usize = 256;

fn parse<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, Result<(), Error>) {
    let mut parser = Parser::new(MAX_EVENT_BYTES);
    let mut events = Vec::new();
    for piece in pieces {
        parser.feed(piece);
        loop {
            match parser.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
    }
    (events, Ok(()))
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece_bytes, stream) = input;
    let whole = parse(std::iter::once(stream));
    let split = parse(stream.chunks(usize::from(piece_bytes) + 1));
    assert_eq!(whole, split);
    for event in whole.0 {
        assert!(event.data.len() <= MAX_EVENT_BYTES);
        assert!(!event.data.contains('\r'));
    }
});
