use proptest::prelude::*;
use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, Continues, Cost, Failure, FailureClass, Fallback,
    FinishReason, Idempotency, KeyId, Lane, LaneSpec, Outcome, Parameters, Prompt, RequestCreated,
    RequestFinished, Seq, ServiceTier, Timestamp, Token, TokenIndex, TokenKind, Usage, UsageDetails,
};

use super::*;

fn usage() -> impl Strategy<Value = Usage> {
    (any::<u64>(), any::<u64>(), any::<Option<u64>>(), any::<Option<u64>>()).prop_map(
        |(input_tokens, output_tokens, reasoning_tokens, cached_input_tokens)| Usage {
            input_tokens,
            output_tokens,
            reasoning_tokens,
            cached_input_tokens,
            details: UsageDetails::default(),
        },
    )
}

fn details() -> impl Strategy<Value = UsageDetails> {
    let tier = prop::option::of(prop::sample::select(ServiceTier::ALL));
    (any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<u64>>(), tier, any::<bool>()).prop_map(
        |(cache_write_tokens, audio_input_tokens, image_output_tokens, service_tier, is_estimate)| {
            UsageDetails {
                cache_write_tokens,
                audio_input_tokens,
                image_output_tokens,
                service_tier,
                is_estimate,
                ..UsageDetails::default()
            }
        },
    )
}

fn failure() -> impl Strategy<Value = Failure> {
    (prop::sample::select(FailureClass::ALL), ".*", any::<Option<u16>>(), any::<Option<u64>>()).prop_map(
        |(class, message, provider_status, retry_after_ms)| Failure {
            class,
            message,
            provider_status,
            retry_after_ms,
        },
    )
}

fn created() -> impl Strategy<Value = EventBody> {
    let texts = (
        ".*",
        any::<Option<String>>(),
        any::<Option<u32>>(),
        prop::option::of(0.0..2.0),
        any::<Option<i64>>(),
    );
    let lanes = prop::collection::vec(("[a-z]{1,9}:[!-~]{1,20}", prop::option::of(0.1..1.0)), 1..6);
    let fallback = prop_oneof![
        Just(Fallback::Default),
        Just(Fallback::Off),
        Just(Fallback::Queue(vec!["demo:brisk".parse().unwrap()])),
    ];
    let key = prop::option::of(any::<[u8; 16]>().prop_map(KeyId::from_bytes));
    (texts, lanes, prop::option::of((".*", any::<[u8; 32]>())), fallback, key).prop_map(
        |(texts, lanes, idempotency, fallback, key)| {
            let (text, system_message, max_tokens, temperature, seed) = texts;
            let mut parameters = Parameters { max_tokens, temperature, ..Parameters::default() };
            if let Some(seed) = seed {
                parameters.insert("seed", seed.into()).unwrap();
            }
            EventBody::RequestCreated(Box::new(RequestCreated {
                prompt: Prompt { text, system_message, parameters },
                lanes: lanes
                    .into_iter()
                    .map(|(model, weight)| LaneSpec { model: model.parse().unwrap(), weight })
                    .collect(),
                idempotency: idempotency.map(|(key, body_sha256)| Idempotency { key, body_sha256 }),
                fallback,
                key,
            }))
        },
    )
}

fn started() -> impl Strategy<Value = EventBody> {
    (any::<u32>(), any::<u8>(), any::<Option<(u32, u64)>>()).prop_map(|(attempt, lane, continues)| {
        EventBody::AttemptStarted(AttemptStarted {
            attempt_seq: AttemptSeq(attempt),
            lane: Lane(lane),
            model: "demo:brisk".parse().unwrap(),
            continues: continues
                .map(|(a, t)| Continues { attempt_seq: AttemptSeq(a), token_index: TokenIndex(t) }),
        })
    })
}

fn token() -> impl Strategy<Value = EventBody> {
    let kind = prop::sample::select(TokenKind::ALL);
    (any::<u32>(), any::<u64>(), kind, any::<String>(), any::<Option<String>>()).prop_map(
        |(attempt, index, kind, text, envelope)| {
            let (attempt_seq, token_index) = (AttemptSeq(attempt), TokenIndex(index));
            let envelope = envelope.map(Into::into);
            EventBody::Token(Token { attempt_seq, token_index, kind, text, envelope })
        },
    )
}

fn attempt_finished() -> impl Strategy<Value = EventBody> {
    let outcome = prop::sample::select(Outcome::ALL);
    let detailed = (usage(), details()).prop_map(|(usage, details)| Usage { details, ..usage });
    let reasons = (any::<Option<String>>(), any::<Option<String>>());
    let told = (reasons, prop::option::of(prop_oneof![usage(), detailed]), any::<Option<String>>());
    let failure = prop::option::of(failure());
    (any::<u32>(), outcome, told, any::<u64>(), failure, cost(), any::<Option<String>>()).prop_map(
        |(
            attempt,
            outcome,
            ((reason, provider_finish_reason), usage, answered_by),
            token_count,
            failure,
            cost,
            envelope,
        )| {
            let finish_reason = reason.map(FinishReason);
            let attempt_seq = AttemptSeq(attempt);
            EventBody::AttemptFinished(AttemptFinished {
                attempt_seq,
                outcome,
                finish_reason,
                usage,
                cost,
                token_count,
                answered_by,
                failure,
                envelope: envelope.map(Into::into),
                provider_finish_reason,
            })
        },
    )
}

fn cost() -> impl Strategy<Value = Option<Cost>> {
    prop::option::of(any::<u64>().prop_map(Cost::from_nano_usd))
}

fn request_finished() -> impl Strategy<Value = EventBody> {
    let outcome = prop::sample::select(Outcome::ALL);
    let usages = (prop::option::of(usage()), prop::option::of(usage()));
    (outcome, any::<u32>(), any::<u32>(), any::<u64>(), usages, cost()).prop_map(
        |(outcome, lanes_completed, attempt_count, token_count, (usage, failed_usage), cost)| {
            EventBody::RequestFinished(RequestFinished {
                outcome,
                lanes_completed,
                attempt_count,
                token_count,
                usage,
                failed_usage,
                cost,
            })
        },
    )
}

proptest! {
    #[test]
    fn every_event_comes_back_from_its_record(
        id in any::<[u8; 16]>(),
        seq in any::<u64>(),
        at in any::<i64>(),
        body in prop_oneof![created(), started(), token(), attempt_finished(), request_finished()],
    ) {
        let id = RequestId::from_bytes(id);
        let event = Event { seq: Seq(seq), at: Timestamp::from_millis(at), body };
        let record = encode(id, &event).unwrap();
        prop_assert_eq!(request_id(&record.payload), Some(id));
        let decoded = decode(record.kind, record.version, &record.payload).unwrap();
        prop_assert_eq!(decoded, Some((id, event)));
    }

    #[test]
    fn bytes_that_are_no_record_are_refused_without_panic(
        kind in 0..8_u8,
        version in 0..5_u8,
        payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        drop(decode(kind, version, &payload));
    }
}

/// Written by the first release. If this fails, the format on disk has changed: make a version 2 instead.
#[test]
fn the_bytes_of_version_1_never_change() {
    let id = RequestId::from_bytes([0xAB; 16]);
    let (attempt_seq, token_index) = (AttemptSeq(2), TokenIndex(300));
    let body = EventBody::Token(Token {
        attempt_seq,
        token_index,
        kind: TokenKind::Text,
        text: " fox".into(),
        envelope: None,
    });
    let event = Event { seq: Seq(17), at: Timestamp::from_millis(1_000), body };
    let record = encode(id, &event).unwrap();
    let mut golden = vec![0xAB; 16];
    golden.extend([17, 0xD0, 0x0F, 2, 0xAC, 2, 0, 4]);
    golden.extend(b" fox");
    assert_eq!((record.kind, record.version, record.payload), (3, 1, golden));
}
