//! Calls in OpenAI's chat dialect, over whatever transport: the one path that every answer takes.

mod answer;
mod clock;
mod head;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, future, stream};
use wordhoard_model::{Capabilities, Failure, FailureClass, ProviderName};
use wordhoard_wire::{Ask, CannotHonour, Dialect, Unsupported};

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
    capabilities: Arc<Capabilities>,
}

impl ChatProvider {
    pub(crate) fn new(
        name: ProviderName,
        transport: Arc<dyn Transport>,
        limits: TimeLimits,
        redactor: Redactor,
    ) -> Self {
        Self { name, transport, limits, redactor, capabilities: Arc::default() }
    }

    fn encode(&self, call: &Call) -> Result<Vec<u8>, CannotHonour> {
        Dialect::OpenAiChat.encode_request(&Ask {
            model: &call.model,
            conversation: &call.conversation,
            answer_so_far: call.answer_so_far.as_deref(),
            stream: true,
            capabilities: &self.capabilities,
            unsupported: Unsupported::Refuse,
        })
    }
}

impl Provider for ChatProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self, _model: &str) -> Arc<Capabilities> {
        Arc::clone(&self.capabilities)
    }

    fn check(&self, call: &Call) -> Result<(), CannotHonour> {
        self.encode(call).map(drop)
    }

    fn cooling(&self, _model: &str) -> Option<Duration> {
        None
    }

    fn answer(&self, call: Call) -> AnswerStream {
        let body = match self.encode(&call) {
            Ok(body) => body,
            Err(error) => {
                let failure = Failure::new(FailureClass::Unsupported, error.to_string());
                return stream::once(future::ready(Err(failure.into()))).boxed();
            }
        };
        let answer = Answer::new(self.transport.post(body), self.limits, self.redactor.clone());
        stream::unfold(answer, Answer::next).boxed()
    }
}
