use proptest::prelude::*;
use wordhoard_model::{
    AttemptFinished, AttemptSeq, AttemptStarted, Continues, Cost, Failure, FailureClass, Fallback,
    FinishReason, Idempotency, KeyId, Lane, LaneSpec, Outcome, Parameters, Prompt, RequestCreated,
    RequestFinished, RequestId, Rest, Seq, ServiceTier, Timestamp, TokenIndex, Usage, UsageDetails,
};
use wordhoard_record::{
    Kind, Place, decode_attempt_finished, decode_attempt_started, decode_request_created,
    decode_request_finished, encode_attempt_finished, encode_attempt_started, encode_request_created,
    encode_request_finished,
};

fn place() -> impl Strategy<Value = Place> {
    (any::<[u8; 16]>(), any::<u64>(), -62_135_596_800_000_i64..253_402_300_799_000).prop_map(
        |(id, seq, at)| Place {
            id: RequestId::from_bytes(id),
            seq: Seq(seq),
            at: Timestamp::from_millis(at),
        },
    )
}

fn usage() -> impl Strategy<Value = Usage> {
    let tier = prop::option::of(prop::sample::select(ServiceTier::ALL));
    let details = (any::<Option<u64>>(), any::<Option<u64>>(), tier, any::<bool>());
    (any::<u64>(), any::<u64>(), any::<Option<u64>>(), any::<Option<u64>>(), details).prop_map(
        |(input_tokens, output_tokens, reasoning_tokens, cached_input_tokens, details)| Usage {
            input_tokens,
            output_tokens,
            reasoning_tokens,
            cached_input_tokens,
            details: UsageDetails {
                cache_write_tokens: details.0,
                image_output_tokens: details.1,
                service_tier: details.2,
                is_estimate: details.3,
                ..UsageDetails::default()
            },
        },
    )
}

fn cost() -> impl Strategy<Value = Option<Cost>> {
    prop::option::of(any::<u64>().prop_map(Cost::from_nano_usd))
}

fn created() -> impl Strategy<Value = RequestCreated> {
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
        |((text, system_message, max_tokens, temperature, seed), lanes, idempotency, fallback, key)| {
            let mut parameters = Parameters { max_tokens, temperature, ..Parameters::default() };
            if let Some(seed) = seed {
                parameters.insert("seed", seed.into()).unwrap();
            }
            RequestCreated {
                prompt: Prompt { text, system_message, parameters },
                lanes: lanes
                    .into_iter()
                    .map(|(model, weight)| LaneSpec { model: model.parse().unwrap(), weight })
                    .collect(),
                idempotency: idempotency.map(|(key, body_sha256)| Idempotency { key, body_sha256 }),
                fallback,
                key,
            }
        },
    )
}

fn started() -> impl Strategy<Value = AttemptStarted> {
    (any::<u32>(), any::<u8>(), any::<Option<(u32, u64)>>()).prop_map(|(attempt, lane, continues)| {
        AttemptStarted {
            attempt_seq: AttemptSeq(attempt),
            lane: Lane(lane),
            model: "demo:brisk".parse().unwrap(),
            continues: continues
                .map(|(a, t)| Continues { attempt_seq: AttemptSeq(a), token_index: TokenIndex(t) }),
        }
    })
}

fn finished() -> impl Strategy<Value = AttemptFinished> {
    let failure = (prop::sample::select(FailureClass::ALL), ".*", any::<Option<u16>>(), any::<Option<u64>>());
    let failure = prop::option::of(failure.prop_map(|(class, message, provider_status, retry_after_ms)| {
        Failure { class, message, provider_status, retry_after_ms }
    }));
    let told = (
        any::<Option<String>>(),
        any::<Option<String>>(),
        any::<Option<String>>(),
        prop::option::of(usage()),
    );
    let outcome = prop::sample::select(Outcome::ALL);
    (any::<u32>(), outcome, told, any::<u64>(), failure, cost()).prop_map(
        |(
            attempt,
            outcome,
            (reason, provider_finish_reason, answered_by, usage),
            token_count,
            failure,
            cost,
        )| {
            AttemptFinished {
                attempt_seq: AttemptSeq(attempt),
                outcome,
                finish_reason: reason.map(FinishReason),
                provider_finish_reason,
                usage,
                cost,
                token_count,
                answered_by,
                failure,
                rest: Rest::Nothing,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_prompt_is_read_back_as_it_was(place in place(), created in created()) {
        let mut payload = Vec::new();
        prop_assert_eq!(encode_request_created(&mut payload, place, &created), Ok(Kind::RequestCreated));
        prop_assert_eq!(decode_request_created(&payload), Ok((place, created)));
    }

    #[test]
    fn a_call_that_begins_is_read_back_as_it_was(place in place(), started in started()) {
        let mut payload = Vec::new();
        prop_assert_eq!(encode_attempt_started(&mut payload, place, &started), Ok(Kind::AttemptStarted));
        prop_assert_eq!(decode_attempt_started(&payload), Ok((place, started)));
    }

    #[test]
    fn a_call_that_ended_is_read_back_as_it_was(
        place in place(), mut finished in finished(), bytes in prop::collection::vec(any::<u8>(), 0..99), text in ".*", kind in 0..3_u8,
    ) {
        finished.rest = match kind {
            0 => Rest::Nothing,
            1 => Rest::Events(bytes.into()),
            _ => Rest::Document(text.into()),
        };
        let mut payload = Vec::new();
        prop_assert_eq!(encode_attempt_finished(&mut payload, place, &finished), Ok(Kind::AttemptFinished));
        prop_assert_eq!(decode_attempt_finished(&payload), Ok((place, finished)));
    }

    #[test]
    fn the_end_of_a_request_is_read_back_as_it_was(
        place in place(), counts in (any::<u32>(), any::<u32>(), any::<u64>()),
        usages in (prop::option::of(usage()), prop::option::of(usage())), cost in cost(),
        outcome in prop::sample::select(Outcome::ALL),
    ) {
        let finished = RequestFinished {
            outcome,
            lanes_completed: counts.0,
            attempt_count: counts.1,
            token_count: counts.2,
            usage: usages.0,
            failed_usage: usages.1,
            cost,
        };
        let mut payload = Vec::new();
        prop_assert_eq!(encode_request_finished(&mut payload, place, &finished), Ok(Kind::RequestFinished));
        prop_assert_eq!(decode_request_finished(&payload), Ok((place, finished)));
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (decode_request_created(&bytes), decode_attempt_started(&bytes));
        let _ = (decode_attempt_finished(&bytes), decode_request_finished(&bytes));
    }
}

fn at_a_place() -> Place {
    let id = RequestId::from_bytes(*b"\x01\x9a\xb2\xc3\xd4\xe5\x70\x00\x80\x00\x00\x00\x00\x00\x00\x01");
    Place { id, seq: Seq(300), at: Timestamp::from_millis(id.accepted_at().as_millis() - 1) }
}

/// What is on the disks of users stays readable.
#[test]
fn records_have_the_bytes_that_they_always_had() {
    let head = b"\x01\x9a\xb2\xc3\xd4\xe5\x70\x00\x80\x00\x00\x00\x00\x00\x00\x01\xac\x02\x01";
    let mut payload = Vec::new();
    let started = AttemptStarted {
        attempt_seq: AttemptSeq(1),
        lane: Lane(2),
        model: "a:b".parse().unwrap(),
        continues: Some(Continues { attempt_seq: AttemptSeq(3), token_index: TokenIndex(4) }),
    };
    encode_attempt_started(&mut payload, at_a_place(), &started).unwrap();
    assert_eq!(payload, [head.as_slice(), b"\x01\x02\x03a:b\x01\x03\x04"].concat());

    let usage = Usage { input_tokens: 1, output_tokens: 2, reasoning_tokens: Some(3), ..Usage::default() };
    let finished = AttemptFinished {
        attempt_seq: AttemptSeq(1),
        outcome: Outcome::Failed,
        finish_reason: Some(FinishReason("r".into())),
        provider_finish_reason: None,
        usage: Some(usage),
        cost: Some(Cost::from_nano_usd(5)),
        token_count: 6,
        answered_by: None,
        failure: Some(Failure::new(FailureClass::Cut, "c")),
        rest: Rest::Events(b"EV".as_slice().into()),
    };
    payload.clear();
    encode_attempt_finished(&mut payload, at_a_place(), &finished).unwrap();
    let body = b"\x01\x06failed\x01\x01r\x00\x01\x01\x02\x01\x03\x00\x00\x01\x05\x06\x00\x01\x03cut\x01c\x00\x00\x01EV";
    assert_eq!(payload, [head.as_slice(), body].concat());

    payload.clear();
    let finished = RequestFinished {
        outcome: Outcome::Completed,
        lanes_completed: 1,
        attempt_count: 2,
        token_count: 3,
        usage: None,
        failed_usage: None,
        cost: None,
    };
    encode_request_finished(&mut payload, at_a_place(), &finished).unwrap();
    assert_eq!(payload, [head.as_slice(), b"\x09completed\x01\x02\x03\x00\x00\x00"].concat());

    payload.clear();
    let created = RequestCreated {
        prompt: Prompt { text: "p".into(), system_message: None, parameters: Parameters::default() },
        lanes: vec![LaneSpec { model: "a:b".parse().unwrap(), weight: None }],
        idempotency: None,
        fallback: Fallback::Off,
        key: None,
    };
    encode_request_created(&mut payload, at_a_place(), &created).unwrap();
    assert_eq!(
        payload,
        [head.as_slice(), b"\x01p\x00\x00\x00\x02{}\x01\x03a:b\x00\x00\x01\x00\x00"].concat()
    );
}
