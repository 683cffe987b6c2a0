//! What a model's name asks for.

use std::time::Duration;

/// What a call gets.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Behaviour {
    Stream(Stream),
    Status { status: u16, retry_after_s: Option<u32> },
    EchoKey,
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
    /// The clock and the index.
    Stamped,
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
        }
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
            "tools" => holds(Content::Tools),
            "reasoning" => holds(Content::Reasoning),
            "tiny-flood" => {
                Self::Stream(Stream { content: Content::Digits, wire: Wire::Flood, ..Stream::of(100_000) })
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
        let (name, number) = model.rsplit_once('-')?;
        let number: u64 = number.parse().ok()?;
        let end = match name {
            "ok" => End::Clean,
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
