//! What the demo does on a call, step by step: the head of an answer, and its bytes with pauses and faults between.

mod fault;

use std::time::Duration;

use bytes::Bytes;
use wordhoard_model::{Conversation, Failure, FailureClass, Message, Part, Usage};
use wordhoard_wire::openai_chat::{StreamEncoder, decode_request, encode_error};
use wordhoard_wire::{AnswerHead, Delta};

use self::fault::Fault;
use super::directive::Directive;
use super::models::MODELS;
use super::speech::{Speaker, Speech, seed_of};

/// How the demo answers a call.
pub(super) enum Script {
    /// With an error.
    Refuse { status: u16, retry_after_s: Option<u32>, body: Vec<u8> },
    /// With a stream.
    Stream { steps: Steps, interval: Duration },
    /// Not at all: the connection breaks.
    Reset,
    /// Not at all: nothing ever comes.
    Silence,
}

pub(super) type Steps = Box<dyn Iterator<Item = Step> + Send>;

/// One step of a stream.
pub(super) enum Step {
    /// A token's bytes, when its time has come.
    Token(Bytes),
    /// Bytes right after those before.
    Bytes(Bytes),
    /// A pause.
    Wait(Duration),
    /// The connection breaks.
    Break,
    /// Nothing more ever comes.
    Hang,
}

/// The script for a request body.
pub(super) fn script_for(body: &[u8]) -> Script {
    let request = match decode_request(body) {
        Ok(request) => request,
        Err(error) => return refuse(400, &Failure::new(FailureClass::BadRequest, error.to_string())),
    };
    let Some(model) = MODELS.iter().find(|model| Some(model.name) == request.model.as_deref()) else {
        let names: Vec<&str> = MODELS.iter().map(|model| model.name).collect();
        let message = format!(
            "there is no demo model {:?}; there are {}",
            request.model.unwrap_or_default(),
            names.join(", ")
        );
        return refuse(404, &Failure::new(FailureClass::NotFound, message));
    };
    let asked = &request.conversation;
    let prompt = last_words(asked);
    let system = asked.system.clone().unwrap_or_default();
    let variant = asked.seed.map(|seed| seed.to_string()).unwrap_or_default();
    let seed = seed_of(&[model.name, &prompt, &system, &variant]);
    let (directive, prompt) = Directive::take_from(&prompt);
    let mut speaker = Speaker::new(seed, &prompt);
    let rate = u64::from(model.tokens_per_second);
    let answer = Scene {
        encoder: StreamEncoder::new(AnswerHead {
            id: format!("chatcmpl-demo-{seed:016x}"),
            // A demo has no clock; nobody stores this.
            created_s: 0,
            model: model.name.to_owned(),
        }),
        input_tokens: prompt.split_whitespace().count() as u64,
        max_tokens: asked.max_tokens.map(u64::from),
        include_usage: request.include_usage,
    };
    if model.name == "flaky" {
        let fault = Fault::choose(directive.flaky_mode.as_deref(), seed);
        return fault.play(answer, &mut speaker, directive.flaky_after, interval_of(rate));
    }
    let speech = match directive.tokens {
        Some(count) => speaker.answer_of_length(model.name, count),
        None => speaker.answer(model.name),
    };
    let speech = match directive.token_bytes {
        Some(bytes) => speech.padded_to(bytes),
        None => speech,
    };
    let speech = match so_far(asked) {
        Some(so_far) => speech.behind(&so_far),
        None => speech,
    };
    Script::Stream {
        steps: answer.play(speech),
        interval: interval_of(directive.tokens_per_second.unwrap_or(rate)),
    }
}

/// The beginning of the answer, where the conversation ends with one: the demo goes on from it.
fn so_far(conversation: &Conversation) -> Option<String> {
    match conversation.messages.last()? {
        Message::Assistant { parts, .. } => Some(Part::text_of(parts)),
        _ => None,
    }
}

/// What the user said last.
fn last_words(conversation: &Conversation) -> String {
    let of_user = |message: &Message| match message {
        Message::User(parts) => Some(Part::text_of(parts)),
        _ => None,
    };
    conversation.messages.iter().rev().find_map(of_user).unwrap_or_default()
}

/// What an answer needs beside its words.
struct Scene {
    encoder: StreamEncoder,
    input_tokens: u64,
    max_tokens: Option<u64>,
    include_usage: bool,
}

impl Scene {
    /// A stream without a fault.
    fn play(mut self, speech: Speech) -> Steps {
        let limit = self.limit(&speech);
        let reason = if limit < speech.token_count { "length" } else { "stop" };
        let usage = Usage {
            input_tokens: self.input_tokens,
            output_tokens: limit,
            reasoning_tokens: (speech.reasoning_count > 0).then(|| speech.reasoning_count.min(limit)),
            cached_input_tokens: None,
            ..Usage::default()
        };
        let opening = self.opening();
        let end = self.finish(reason, Some(&usage)).chain([self.done()]);
        let tokens = self.tokens(speech.deltas, limit);
        Box::new(opening.chain(tokens).chain(end))
    }

    fn limit(&self, speech: &Speech) -> u64 {
        self.max_tokens.unwrap_or(u64::MAX).min(speech.token_count)
    }

    fn opening(&mut self) -> impl Iterator<Item = Step> + Send + use<> {
        let mut out = Vec::new();
        self.encoder.open(&mut out);
        std::iter::once(Step::Bytes(out.into()))
    }

    fn tokens(
        &self,
        deltas: Box<dyn Iterator<Item = Delta> + Send>,
        limit: u64,
    ) -> impl Iterator<Item = Step> + Send + use<> {
        let mut encoder = self.encoder.clone();
        (0..limit).zip(deltas).map(move |(_, delta)| {
            let mut out = Vec::new();
            encoder.delta(&mut out, &delta);
            Step::Token(out.into())
        })
    }

    fn finish(&mut self, reason: &str, usage: Option<&Usage>) -> impl Iterator<Item = Step> + Send + use<> {
        let mut out = Vec::new();
        self.encoder.finish(&mut out, reason, usage, self.include_usage);
        std::iter::once(Step::Bytes(out.into()))
    }

    fn done(&self) -> Step {
        let mut out = Vec::new();
        self.encoder.done(&mut out);
        Step::Bytes(out.into())
    }
}

fn refuse(status: u16, failure: &Failure) -> Script {
    Script::Refuse { status, retry_after_s: None, body: encode_error(failure) }
}

fn interval_of(tokens_per_second: u64) -> Duration {
    match tokens_per_second {
        0 => Duration::ZERO,
        rate => Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX),
    }
}
