//! Calls in OpenAI's chat dialect, over whatever transport: the one path that every answer takes.

mod answer;
mod clock;
mod head;

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use wordhoard_model::ProviderName;
use wordhoard_wire::openai_chat;

use self::answer::Answer;
use crate::redaction::Redactor;
use crate::transport::Transport;
use crate::{AnswerStream, Call, Provider, TimeLimits};

/// A provider that speaks the chat dialect.
#[derive(Debug)]
pub(crate) struct ChatProvider {
    name: ProviderName,
    transport: Arc<dyn Transport>,
    limits: TimeLimits,
    redactor: Redactor,
}

impl ChatProvider {
    pub(crate) fn new(
        name: ProviderName,
        transport: Arc<dyn Transport>,
        limits: TimeLimits,
        redactor: Redactor,
    ) -> Self {
        Self { name, transport, limits, redactor }
    }
}

impl Provider for ChatProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn answer(&self, call: Call) -> AnswerStream {
        let body = openai_chat::encode_request(&call.model, &call.prompt);
        let answer = Answer::new(self.transport.post(body), self.limits, self.redactor.clone());
        stream::unfold(answer, Answer::next).boxed()
    }
}
