use std::time::Duration;

use bytes::Bytes;
use wordhoard_model::{Failure, FailureClass};

use super::{Scene, Script, Step, Steps, refuse};
use crate::demo::speech::{Dice, Speaker};

/// A way in which `flaky` fails, or stays just within what the dialect allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    name: &'static str,
    /// What it says that it is going to do.
    announced: &'static str,
    /// Whether it may be chosen where the prompt names none: it says what it does, and does not keep one waiting.
    friendly: bool,
}

const fn fault(name: &'static str, announced: &'static str, friendly: bool) -> Fault {
    Fault { name, announced, friendly }
}

const FAULTS: &[Fault] = &[
    fault("rate-limit", "refuse with 429", false),
    fault("error-500", "fail with 500", false),
    fault("unauthorized", "refuse with 401", false),
    fault("not-found", "refuse with 404", false),
    fault("reset", "break the connection", false),
    fault("silence", "say nothing at all", false),
    fault("slow-start", "think for a moment before I speak", true),
    fault("cut", "break the connection in mid-answer", true),
    fault("stall", "fall silent in mid-answer", false),
    fault("bad-json", "send half a chunk", false),
    fault("no-done", "leave out the last mark of the stream", true),
    fault("no-finish", "end without saying that I am done", true),
    fault("split-utf8", "cut characters such as ä, € and 🦀 in two on the wire", true),
    fault("crlf", "end my lines as old printers did", true),
    fault("bom", "begin with a byte order mark", true),
    fault("stream-error", "report an error in mid-answer", true),
    fault("content-filter", "be held back by a content filter", false),
    fault("huge-line", "send a line that is far too long", false),
];

/// How long `slow-start` thinks.
const SLOW_START: Duration = Duration::from_secs(2);
/// Above any limit for one event.
const HUGE_LINE_BYTES: usize = 17 << 20;

impl Fault {
    /// The one that the prompt names, or a friendly one by seed.
    pub(super) fn choose(named: Option<&str>, seed: u64) -> Self {
        let friendly: Vec<Self> = FAULTS.iter().copied().filter(|fault| fault.friendly).collect();
        let by_seed = friendly[Dice(seed).below(friendly.len())];
        FAULTS.iter().copied().find(|fault| Some(fault.name) == named).unwrap_or(by_seed)
    }

    /// Plays it: after so many tokens, or else after it has said what it is going to do.
    pub(super) fn play(
        self,
        scene: Scene,
        speaker: &mut Speaker,
        after: Option<u64>,
        interval: Duration,
    ) -> Script {
        let refusal = |status, class, message: &str| refuse(status, &Failure::new(class, message));
        match self.name {
            "rate-limit" => {
                let mut script =
                    refusal(429, FailureClass::RateLimited, "flaky is rate limited, as you asked");
                if let Script::Refuse { retry_after_s, .. } = &mut script {
                    *retry_after_s = Some(2);
                }
                script
            }
            "error-500" => refusal(500, FailureClass::ProviderError, "flaky failed, as you asked"),
            "unauthorized" => refusal(401, FailureClass::Unauthorized, "flaky knows no key, as you asked"),
            "not-found" => refusal(404, FailureClass::NotFound, "flaky is not here, as you asked"),
            "reset" => Script::Reset,
            "silence" => Script::Silence,
            _ => Script::Stream { steps: self.steps(scene, speaker, after), interval },
        }
    }

    fn steps(self, mut scene: Scene, speaker: &mut Speaker, after: Option<u64>) -> Steps {
        let (speech, announced) = speaker.announce(self.announced);
        match self.name {
            "slow-start" => Box::new(std::iter::once(Step::Wait(SLOW_START)).chain(scene.play(speech))),
            "crlf" => Box::new(scene.play(speech).map(|step| step.with_bytes(with_crlf))),
            "bom" => {
                let mark = Step::Bytes(Bytes::from_static(b"\xef\xbb\xbf"));
                Box::new(std::iter::once(mark).chain(scene.play(speech)))
            }
            "split-utf8" => Box::new(scene.play(speech).flat_map(split_in_character)),
            _ => {
                let limit = match self.name {
                    "no-done" | "no-finish" => scene.limit(&speech),
                    _ => scene.limit(&speech).min(after.unwrap_or(announced)),
                };
                let opening = scene.opening();
                let tokens = scene.tokens(speech.deltas, limit);
                Box::new(opening.chain(tokens).chain(self.end(&mut scene)))
            }
        }
    }

    /// What comes instead of an orderly end.
    fn end(self, scene: &mut Scene) -> Vec<Step> {
        let bytes = |bytes: &[u8]| Step::Bytes(Bytes::copy_from_slice(bytes));
        match self.name {
            "cut" => vec![Step::Break],
            "stall" => vec![Step::Hang],
            "bad-json" => vec![bytes(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"oo\n\n")],
            "no-done" => scene.finish("stop", None).collect(),
            "content-filter" => scene.finish("content_filter", None).chain([scene.done()]).collect(),
            "stream-error" => {
                let mut out = Vec::new();
                let failure = Failure::new(FailureClass::StreamError, "flaky stumbled, as you asked");
                scene.encoder.error(&mut out, &failure);
                vec![Step::Bytes(out.into())]
            }
            "huge-line" => {
                let mut line = b"data: ".to_vec();
                line.resize(HUGE_LINE_BYTES, b'x');
                vec![Step::Bytes(line.into()), Step::Hang]
            }
            // no-finish
            _ => vec![scene.done()],
        }
    }
}

impl Step {
    fn with_bytes(self, change: impl Fn(&Bytes) -> Bytes) -> Self {
        match self {
            Self::Token(bytes) => Self::Token(change(&bytes)),
            Self::Bytes(bytes) => Self::Bytes(change(&bytes)),
            other => other,
        }
    }
}

/// JSON holds no raw line end, so only those of the stream change.
fn with_crlf(bytes: &Bytes) -> Bytes {
    let mut changed = Vec::with_capacity(bytes.len() + 4);
    for byte in bytes {
        if *byte == b'\n' {
            changed.push(b'\r');
        }
        changed.push(*byte);
    }
    changed.into()
}

/// Cuts a step's bytes within its first character of more than one byte.
fn split_in_character(step: Step) -> Vec<Step> {
    let cut = |bytes: &Bytes| bytes.iter().position(|byte| *byte >= 0xc0).map(|place| place + 1);
    match step {
        Step::Token(mut bytes) => match cut(&bytes) {
            Some(place) => {
                let rest = bytes.split_off(place);
                vec![Step::Token(bytes), Step::Bytes(rest)]
            }
            None => vec![Step::Token(bytes)],
        },
        other => vec![other],
    }
}
