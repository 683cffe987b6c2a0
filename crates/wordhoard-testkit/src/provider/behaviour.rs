//! What a model's name asks for.

use std::time::Duration;

/// What a call gets.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Behaviour {
    Stream(Stream),
    Status { status: u16, retry_after_s: Option<u32> },
    EchoKey,
    ContextLength,
    FilterPrompt,
    OverQuota,
    JsonError,
    Html,
    Redirect,
    NeverAnswers,
    HalfHeaders,
    HeadersOnly,
    EndlessComments,
    CommentFlood,
    EndlessLine,
    Reset,
}

/// A stream of tokens.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stream {
    pub(super) count: u64,
    pub(super) tokens_per_second: Option<u64>,
    pub(super) start_delay: Duration,
    pub(super) content: Content,
    pub(super) wire: Wire,
    pub(super) end: End,
    pub(super) prefill: Prefill,
    /// The model that it says has answered, where that is another one.
    pub(super) says_model: Option<&'static str>,
}

/// What becomes of a conversation that ends with the beginning of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Prefill {
    /// The answer is as if it were not there.
    Ignored,
    /// The answer goes on behind it.
    Honoured,
    /// It is refused.
    Refused,
}

/// What the tokens hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Content {
    Words,
    Multibyte,
    WithNul,
    Reasoning,
    Tools,
    Digits,
    /// Other words for the same prompt.
    OtherWords,
    /// One token of 10 MB.
    Huge,
    /// The clock and the index.
    Stamped,
    /// What a coding agent is answered.
    Agent,
}

/// How the bytes are put on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wire {
    Plain,
    Crlf,
    Bom,
    SplitCharacters,
    /// Many events a write.
    Flood,
}

/// What comes after the tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Clean,
    NoDone,
    NoFinish,
    NoLastBlank,
    HangAfterFinish,
    Nothing,
    Cut,
    Reset,
    Stall,
    Comments,
    BadJson,
    Error,
    Filter,
    HugeLine,
}

const DEFAULT_COUNT: u64 = 20;

impl Stream {
    fn of(count: u64) -> Self {
        Self {
            count,
            tokens_per_second: None,
            start_delay: Duration::ZERO,
            content: Content::Words,
            wire: Wire::Plain,
            end: End::Clean,
            prefill: Prefill::Ignored,
            says_model: None,
        }
    }
}

/// The behaviour that the nth call of a model gets, from 0: of `seq:A|B|C` the nth, and the last one from then on.
pub(super) fn nth(model: &str, nth: usize) -> &str {
    match model.strip_prefix("seq:") {
        None => model,
        Some(all) => all.split('|').nth(nth).or_else(|| all.rsplit('|').next()).unwrap_or(all),
    }
}

impl Behaviour {
    /// The behaviour of that name; none where there is none.
    pub(super) fn of(model: &str) -> Option<Self> {
        let plain = Stream::of(DEFAULT_COUNT);
        let ends = |end| Self::Stream(Stream { end, ..plain.clone() });
        let on_wire = |wire| Self::Stream(Stream { wire, ..plain.clone() });
        let holds = |content| Self::Stream(Stream { content, ..plain.clone() });
        Some(match model {
            "ok" => Self::Stream(plain),
            "no-done" => ends(End::NoDone),
            "no-finish" => ends(End::NoFinish),
            "no-last-blank" => ends(End::NoLastBlank),
            "hang-after-finish" => ends(End::HangAfterFinish),
            "huge-line" => ends(End::HugeLine),
            "crlf" => on_wire(Wire::Crlf),
            "bom" => on_wire(Wire::Bom),
            "split-utf8" => {
                Self::Stream(Stream { content: Content::Multibyte, wire: Wire::SplitCharacters, ..plain })
            }
            "nul-token" => holds(Content::WithNul),
            "huge-event" => Self::Stream(Stream { content: Content::Huge, ..Stream::of(1) }),
            "context-length" => Self::ContextLength,
            "filter-prompt" => Self::FilterPrompt,
            "over-quota" => Self::OverQuota,
            "tools" => holds(Content::Tools),
            "reasoning" => holds(Content::Reasoning),
            "tiny-flood" => {
                Self::Stream(Stream { content: Content::Digits, wire: Wire::Flood, ..Stream::of(100_000) })
            }
            "agent" => holds(Content::Agent),
            "agent-cut" => Self::Stream(Stream { content: Content::Agent, end: End::Cut, ..plain }),
            "agent-late" => {
                Self::Stream(Stream { content: Content::Agent, start_delay: Duration::from_secs(3), ..plain })
            }
            "agent-paced" => {
                Self::Stream(Stream { content: Content::Agent, tokens_per_second: Some(20), ..plain })
            }
            "endless-line" => Self::EndlessLine,
            "never-answers" => Self::NeverAnswers,
            "half-headers" => Self::HalfHeaders,
            "headers-only" => Self::HeadersOnly,
            "endless-comments" => Self::EndlessComments,
            "comment-flood" => Self::CommentFlood,
            "reset" => Self::Reset,
            "echo-key" => Self::EchoKey,
            "json-error" => Self::JsonError,
            "html" => Self::Html,
            "redirect" => Self::Redirect,
            _ => return Self::with_number(model),
        })
    }

    fn with_number(model: &str) -> Option<Self> {
        let plain = Stream::of(DEFAULT_COUNT);
        if let Some(status) = model.strip_prefix("status-") {
            let (status, retry) = match status.split_once("-retry-") {
                Some((status, seconds)) => (status, Some(seconds.parse().ok()?)),
                None => (status, None),
            };
            let status = status.parse().ok().filter(|status| (400..600).contains(status))?;
            return Some(Self::Status { status, retry_after_s: retry });
        }
        if let Some((count, rate)) = model.strip_prefix("paced-").and_then(|rest| rest.split_once('x')) {
            return Some(Self::Stream(Stream {
                tokens_per_second: Some(rate.parse().ok().filter(|rate| *rate > 0)?),
                content: Content::Stamped,
                ..Stream::of(count.parse().ok()?)
            }));
        }
        if let Some((count, pause_ms)) =
            model.strip_prefix("slow-tokens-").and_then(|rest| rest.split_once('-'))
        {
            let pause_ms: u64 = pause_ms.parse().ok().filter(|pause| *pause > 0)?;
            let tokens_per_second = Some((1_000 / pause_ms).max(1));
            return Some(Self::Stream(Stream { tokens_per_second, ..Stream::of(count.parse().ok()?) }));
        }
        let (name, number) = model.rsplit_once('-')?;
        let number: u64 = number.parse().ok()?;
        let end = match name {
            "ok" => End::Clean,
            "prefill" => {
                return Some(Self::Stream(Stream { prefill: Prefill::Honoured, ..Stream::of(number) }));
            }
            "refuses-prefill" => {
                return Some(Self::Stream(Stream { prefill: Prefill::Refused, ..Stream::of(number) }));
            }
            "differs" => {
                return Some(Self::Stream(Stream { content: Content::OtherWords, ..Stream::of(number) }));
            }
            "other-model" => {
                return Some(Self::Stream(Stream {
                    says_model: Some("another-model"),
                    ..Stream::of(number)
                }));
            }
            "rate" => {
                return Some(Self::Stream(Stream { tokens_per_second: Some(number.max(1)), ..plain }));
            }
            "slow-start" => {
                return Some(Self::Stream(Stream { start_delay: Duration::from_millis(number), ..plain }));
            }
            "cut-after" => End::Cut,
            "reset-after" => End::Reset,
            "ends-after" => End::Nothing,
            "stall-after" => End::Stall,
            "comments-after" => End::Comments,
            "bad-json-after" => End::BadJson,
            "error-after" => End::Error,
            "filter-after" => End::Filter,
            _ => return None,
        };
        Some(Self::Stream(Stream { end, ..Stream::of(number) }))
    }
}
