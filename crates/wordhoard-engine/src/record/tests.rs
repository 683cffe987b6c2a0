use proptest::prelude::*;
use wordhoard_model::{AttemptSeq, Timestamp, TokenKind};

use super::*;

proptest! {
    /// What each record holds, `wordhoard-record` tests. Here: frames of any tokens, with any events.
    #[test]
    fn the_tokens_of_a_frame_come_back(
        id in any::<[u8; 16]>(),
        first in (any::<u32>(), 0..1_u64 << 60, 0..1_u64 << 60),
        at in any::<i64>(),
        pieces in prop::collection::vec(
            (prop::sample::select(TokenKind::ALL), any::<String>()),
            1..20,
        ),
        coded in prop::option::of(prop::collection::vec(any::<u8>(), 1..40)),
    ) {
        let (id, at) = (RequestId::from_bytes(id), Timestamp::from_millis(at));
        let (attempt, first_index, first_seq) = first;
        let event = |(place, (kind, text)): (u64, (TokenKind, String))| Event {
            seq: Seq(first_seq + place),
            at,
            body: EventBody::Token(Token {
                attempt_seq: AttemptSeq(attempt),
                token_index: TokenIndex(first_index + place),
                kind,
                text,
                events: coded.clone().filter(|_| place == 0).map(Into::into),
            }),
        };
        let events: Vec<Event> = (0..).zip(pieces).map(event).collect();
        let record = encode(id, &events).unwrap();
        prop_assert_eq!(request_id(&record.payload), Some(id));
        prop_assert_eq!(event_count(record.kind, record.version, &record.payload), events.len() as u64);
        let decoded = decode(record.kind, record.version, &record.payload).unwrap();
        prop_assert_eq!(decoded, Some((id, events)));
    }

    #[test]
    fn bytes_that_are_no_record_are_refused_without_panic(
        kind in 0..8_u8,
        version in 0..3_u8,
        payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        drop(decode(kind, version, &payload));
    }
}

#[test]
fn events_that_make_no_frame_are_refused() {
    let id = RequestId::from_bytes([7; 16]);
    assert!(encode(id, &[]).is_err());
}
