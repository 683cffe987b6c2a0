use wordhoard_model::{Continues, FinishReason, Lane, RequestFinished, Seq};

use super::*;

/// A script of attempts: `a`, `b` are texts that come as tokens, `!` breaks, `.` completes; `+N` in front goes on
/// behind token N of the attempt before.
fn told(attempts: &[(&str, &[&str], bool)]) -> (String, Result<(), String>) {
    let (mut relay, mut out) = (Relay::default(), Vec::new());
    let mut take = |body| relay.take(&Event { seq: Seq(0), at: Timestamp::from_millis(0), body }, &mut out);
    for (attempt, (continues, tokens, is_whole)) in (1..).zip(attempts) {
        let attempt_seq = AttemptSeq(attempt);
        let continues = continues.strip_prefix('+').map(|index| Continues {
            attempt_seq: AttemptSeq(attempt - 1),
            token_index: TokenIndex(index.parse().unwrap()),
        });
        let model = format!("a:{attempt}").parse().unwrap();
        take(EventBody::AttemptStarted(Box::new(AttemptStarted {
            attempt_seq,
            lane: Lane(0),
            model,
            continues,
        })));
        for (index, text) in (0..).zip(*tokens) {
            let kind = if *text == "{}" { TokenKind::ToolCall } else { TokenKind::Text };
            let (token_index, text) = (TokenIndex(index), (*text).to_owned());
            take(EventBody::Token(Token { attempt_seq, token_index, kind, text, events: None }));
        }
        take(EventBody::AttemptFinished(Box::new(AttemptFinished {
            attempt_seq,
            outcome: if *is_whole { Outcome::Completed } else { Outcome::Failed },
            finish_reason: is_whole.then(|| FinishReason("stop".into())),
            usage: None,
            cost: None,
            token_count: tokens.len() as u64,
            answered_by: None,
            failure: (!is_whole).then(|| Failure::new(FailureClass::Cut, "it broke")),
            rest: Rest::Nothing,
            provider_finish_reason: None,
        })));
    }
    let is_whole = attempts.last().is_some_and(|(.., is_whole)| *is_whole);
    take(EventBody::RequestFinished(Box::new(RequestFinished {
        outcome: if is_whole { Outcome::Completed } else { Outcome::Failed },
        lanes_completed: u32::from(is_whole),
        attempt_count: attempts.len() as u32,
        token_count: 0,
        usage: None,
        failed_usage: None,
        cost: None,
    })));
    let text = out.iter().filter_map(|said| match said {
        Said::Delta(delta) => Some(delta.text.as_str()),
        Said::Event(..) | Said::Anew | Said::AnotherCall | Said::Completed(_) | Said::Failed(_) => None,
    });
    let end = match out.last().unwrap() {
        Said::Completed(completion) => {
            assert_eq!(completion.finish_reason, Some(FinishReason("stop".into())));
            Ok(())
        }
        Said::Failed(failure) => Err(failure.message.clone()),
        Said::Delta(_) | Said::Event(..) | Said::Anew | Said::AnotherCall => panic!("no end"),
    };
    (text.collect(), end)
}

#[test]
fn what_was_told_is_repeated_by_nobody_and_taken_back_by_nobody() {
    assert_eq!(told(&[("", &["one ", "two"], true)]), ("one two".into(), Ok(())));
    // Nothing was told yet.
    assert_eq!(told(&[("", &[], false), ("", &["uno"], true)]), ("uno".into(), Ok(())));
    // It goes on, also where blanks were told behind the place.
    assert_eq!(told(&[("", &["one"], false), ("+0", &[" two"], true)]), ("one two".into(), Ok(())));
    let blank: &[&str] = &["one", " ", " "];
    assert_eq!(told(&[("", blank, false), ("+0", &["  two"], true)]), ("one  two".into(), Ok(())));
    // It starts anew and repeats, cut in other places.
    let anew: &[&str] = &["o", "ne tw", "o three"];
    assert_eq!(told(&[("", &["one ", "two "], false), ("", anew, true)]).0, "one two three");
    let (text, end) = told(&[("", &["one ", "two "], false), ("", &["one ", "zwei"], true)]);
    assert_eq!(text, "one two ");
    assert!(end.unwrap_err().starts_with("the answer broke off (it broke)"));
    // Shorter than what was told.
    assert!(told(&[("", &["one ", "two"], false), ("", &["one "], true)]).1.is_err());
    // A tool was called.
    assert!(told(&[("", &["{}"], false), ("", &["{}"], true)]).1.is_err());
    assert_eq!(told(&[("", &["one"], false)]), ("one".into(), Err("it broke".into())));
}
