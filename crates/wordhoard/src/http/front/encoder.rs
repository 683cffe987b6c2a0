use bytes::BytesMut;
use wordhoard_model::{Failure, FinishReason, Usage};
use wordhoard_providers::{Completion, Delta, ProviderEvent};
use wordhoard_wire::{AnswerHead, EncodeStream, openai_chat, openai_responses};

use super::answer::Telling;

/// Writes an answer in the client's dialect, event by event.
#[derive(Debug)]
pub(super) enum Encoder {
    /// One answer.
    One(Box<dyn EncodeStream>),
    /// Several, as choices of one stream of the chat dialect.
    Choices { choices: Vec<Choice>, include_usage: bool },
}

#[derive(Debug)]
pub(super) struct Choice {
    encoder: openai_chat::StreamEncoder,
    completion: Option<Completion>,
}

impl Encoder {
    pub(super) fn new(telling: &Telling, head: AnswerHead) -> Self {
        let include_usage = telling.include_usage;
        if telling.models.len() > 1 {
            let choice = |(index, model): (usize, &wordhoard_model::ModelRef)| {
                let head = AnswerHead { model: model.to_string(), ..head.clone() };
                Choice { encoder: openai_chat::StreamEncoder::of_choice(head, index), completion: None }
            };
            return Self::Choices {
                choices: telling.models.iter().enumerate().map(choice).collect(),
                include_usage,
            };
        }
        let encoder = telling.dialect.passing_encoder(head, include_usage, telling.asked.clone());
        Self::One(openai_responses::behind_items(encoder, telling.shown_items.clone()))
    }

    pub(super) fn open(&mut self, out: &mut BytesMut) {
        match self {
            Self::One(encoder) => encoder.open(out),
            Self::Choices { choices, .. } => choices.iter_mut().for_each(|choice| choice.encoder.open(out)),
        }
    }

    pub(super) fn delta(&mut self, out: &mut BytesMut, choice: usize, delta: &Delta) {
        match self {
            Self::One(encoder) => encoder.delta(out, delta),
            Self::Choices { choices, .. } => {
                if let Some(choice) = choices.get_mut(choice) {
                    choice.encoder.delta(out, delta);
                }
            }
        }
    }

    /// An event of a provider that speaks the client's dialect, and the pieces that came out of it.
    pub(super) fn told(&mut self, out: &mut BytesMut, choice: usize, event: ProviderEvent, deltas: &[Delta]) {
        match self {
            Self::One(encoder) => encoder.told(out, event, deltas),
            Self::Choices { .. } => deltas.iter().for_each(|delta| self.delta(out, choice, delta)),
        }
    }

    /// What follows of a choice comes from another call.
    pub(super) fn another_call(&mut self, out: &mut BytesMut, _choice: usize) {
        if let Self::One(encoder) = self {
            encoder.another_call(out);
        }
    }

    /// One answer is whole. Whether all are: then the end is written.
    pub(super) fn complete(
        &mut self,
        out: &mut BytesMut,
        choice: usize,
        completion: Completion,
        ended_at_s: Option<u64>,
    ) -> bool {
        match self {
            Self::One(encoder) => {
                ended_at_s.into_iter().for_each(|at_s| encoder.ended(at_s));
                encoder.finish(out, &completion);
                true
            }
            Self::Choices { choices, include_usage } => {
                if let Some(choice) = choices.get_mut(choice) {
                    choice.completion = Some(completion);
                }
                let are_whole = choices.iter().all(|choice| choice.completion.is_some());
                if are_whole {
                    finish(choices, out, *include_usage);
                }
                are_whole
            }
        }
    }

    pub(super) fn fail(&mut self, out: &mut BytesMut, failure: &Failure) {
        match self {
            Self::One(encoder) => encoder.fail(out, failure),
            Self::Choices { choices, .. } => {
                if let Some(choice) = choices.first() {
                    choice.encoder.error(out, failure);
                }
            }
        }
    }
}

fn finish(choices: &mut [Choice], out: &mut BytesMut, include_usage: bool) {
    for Choice { encoder, completion } in choices.iter_mut() {
        let reason = completion.as_ref().and_then(|completion| completion.finish_reason.as_ref());
        encoder.finish(out, reason.map_or(FinishReason::STOP, |reason| &reason.0), None, false);
    }
    let usages = choices.iter().filter_map(|choice| choice.completion.as_ref()?.usage);
    let usage = usages.reduce(Usage::plus).filter(|_| include_usage);
    if let Some(choice) = choices.first() {
        usage.iter().for_each(|usage| choice.encoder.usage(out, usage));
        choice.encoder.done(out);
    }
}
