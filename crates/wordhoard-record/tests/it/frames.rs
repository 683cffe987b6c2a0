use proptest::prelude::*;
use wordhoard_model::{AttemptSeq, RequestId, Seq, Timestamp, TokenIndex, TokenKind};
use wordhoard_record::{Error, Frame, FrameHead, Piece, encode_frame};

fn head() -> impl Strategy<Value = FrameHead> {
    (any::<u32>(), 0..u64::MAX - 99, 0..u64::MAX - 99, -62_135_596_800_000_i64..253_402_300_799_000).prop_map(
        |(attempt, index, seq, at)| FrameHead {
            attempt_seq: AttemptSeq(attempt),
            first_token_index: TokenIndex(index),
            first_seq: Seq(seq),
            at: Timestamp::from_millis(at),
        },
    )
}

fn tokens() -> impl Strategy<Value = Vec<(TokenKind, u32, String)>> {
    let choice = prop_oneof![4 => Just(0), 1 => any::<u32>()];
    prop::collection::vec((prop::sample::select(TokenKind::ALL), choice, any::<String>()), 1..40)
}

fn pieces(tokens: &[(TokenKind, u32, String)]) -> Vec<Piece<'_>> {
    tokens.iter().map(|(kind, choice, text)| Piece { kind: *kind, choice: *choice, text }).collect()
}

proptest! {
    #[test]
    fn a_frame_is_read_back_as_it_was(
        id in any::<[u8; 16]>(), head in head(), tokens in tokens(), events in prop::collection::vec(any::<u8>(), 0..99),
    ) {
        let (id, pieces) = (RequestId::from_bytes(id), pieces(&tokens));
        let events = Some(&*events).filter(|events| !events.is_empty());
        let mut payload = Vec::new();
        encode_frame(&mut payload, id, head, &pieces, events);
        let frame = Frame::decode(&payload).unwrap();
        prop_assert_eq!((frame.id, frame.head, frame.token_count()), (id, head, pieces.len() as u64));
        prop_assert_eq!(frame.pieces().collect::<Vec<_>>(), pieces);
        prop_assert_eq!(frame.events(), events);
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.pieces().count() as u64, frame.token_count());
        }
    }

    #[test]
    fn a_frame_that_ends_too_early_is_an_error(head in head(), tokens in tokens(), cut in any::<prop::sample::Index>()) {
        let mut payload = Vec::new();
        encode_frame(&mut payload, RequestId::from_bytes([7; 16]), head, &pieces(&tokens), None);
        let cut = cut.index(payload.len());
        prop_assert!(Frame::decode(&payload[..cut]).is_err());
    }
}

/// What is on the disks of users stays readable.
#[test]
fn a_frame_has_the_bytes_that_it_always_had() {
    let id = RequestId::from_bytes(*b"\x01\x9a\xb2\xc3\xd4\xe5\x70\x00\x80\x00\x00\x00\x00\x00\x00\x01");
    let head = FrameHead {
        attempt_seq: AttemptSeq(2),
        first_token_index: TokenIndex(300),
        first_seq: Seq(301),
        at: Timestamp::from_millis(id.accepted_at().as_millis() + 1_000),
    };
    let token = |kind, choice, text| Piece { kind, choice, text };
    let pieces = [
        token(TokenKind::Text, 0, " ä"),
        token(TokenKind::Reasoning, 1, "b"),
        token(TokenKind::Annotation, 1, ""),
    ];
    let mut payload = Vec::new();
    encode_frame(&mut payload, id, head, &pieces, Some(b"EV"));
    let expected: &[u8] = b"\x01\x9a\xb2\xc3\xd4\xe5\x70\x00\x80\x00\x00\x00\x00\x00\x00\x01\
        \x02\xac\x02\xad\x02\xd0\x0f\x03\x00\x03\x09\x01\x01\x04\x00 \xc3\xa4bEV";
    assert_eq!(payload, expected);
    assert_eq!(Frame::decode(expected).unwrap().pieces().collect::<Vec<_>>(), pieces);
}

#[test]
fn a_kind_of_token_that_is_to_come_is_told_apart_from_damage() {
    let head = FrameHead {
        attempt_seq: AttemptSeq(1),
        first_token_index: TokenIndex(0),
        first_seq: Seq(2),
        at: Timestamp::from_millis(0),
    };
    let mut payload = Vec::new();
    let piece = Piece { kind: TokenKind::Text, choice: 0, text: "x" };
    encode_frame(&mut payload, RequestId::from_bytes([0; 16]), head, &[piece], None);
    let kind = payload.len() - 3;
    payload[kind] = 7;
    assert_eq!(Frame::decode(&payload).unwrap_err(), Error::Unknown { kind: 4, version: 1 });
}
