use std::collections::HashMap;

use bytes::BytesMut;
use serde_json::{Map, Value};
use wordhoard_model::{Conversation, Failure};

use crate::retry_hint::RetryHint;
use crate::{
    AnswerHead, Ask, Asked, CannotHonour, ClientRequest, Completion, Delta, EncodeStream, InvalidRequest,
    Limits, ProviderEvent, StreamDecoder, anthropic, cohere, compaction, gemini, openai_chat,
    openai_responses, sse, value_rules, verbatim,
};

/// A way of talking about prompts and answers over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's "Create chat completion", which most servers speak.
    OpenAiChat,
    /// OpenAI's "Create a model response".
    OpenAiResponses,
    /// Anthropic's "Create a message".
    Anthropic,
    /// Google's `generateContent`, on Gemini and on Vertex AI.
    Gemini,
    /// Cohere's "Chat", version 2.
    Cohere,
}

/// Towards a provider.
impl Dialect {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::OpenAiChat, Self::OpenAiResponses, Self::Anthropic, Self::Gemini, Self::Cohere];

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }

    /// Its name in configurations and data.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai",
            Self::OpenAiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Cohere => "cohere",
        }
    }

    /// The body that asks for an answer.
    ///
    /// # Errors
    /// A field that cannot be honoured, where such are refused.
    pub fn encode_request(self, ask: &Ask<'_>) -> Result<Vec<u8>, CannotHonour> {
        ask.check_placed()?;
        let adapted = value_rules::adapted(self, ask)?;
        let ask = &Ask { conversation: &adapted, ..*ask };
        match self {
            Self::OpenAiChat => openai_chat::encode_request(ask),
            Self::OpenAiResponses => openai_responses::encode_request(ask),
            Self::Anthropic => anthropic::encode_request(ask),
            Self::Gemini => gemini::encode_request(ask),
            Self::Cohere => cohere::encode_request(ask),
        }
    }

    /// As [`Dialect::encode_request`], for a client of this dialect: its request goes to the provider as it came.
    pub fn encode_verbatim(self, body: &Map<String, Value>, ask: &Ask<'_>) -> Vec<u8> {
        Value::Object(verbatim::fields(self, body, ask)).to_string().into_bytes()
    }

    /// The body that asks a provider of the responses dialect for compaction, of a request as its client sent it.
    pub fn encode_compaction(self, body: &Map<String, Value>, ask: &Ask<'_>) -> Vec<u8> {
        let mut fields = verbatim::fields(self, body, ask);
        compaction::strip(&mut fields);
        Value::Object(fields).to_string().into_bytes()
    }

    /// The texts at which the answer ends and that a provider of this dialect cannot be given: the server looks for them.
    pub fn unsent_stops(self, conversation: &Conversation) -> Vec<String> {
        value_rules::unsent_stops(self, &conversation.stop)
    }

    /// The tools that a provider of this dialect knows by other names: what it calls each, and what the conversation does.
    pub fn renamed_tools(self, conversation: &Conversation) -> HashMap<String, String> {
        value_rules::renamed_tools(self, conversation)
    }

    /// The body that asks how many tokens a prompt has; none where the dialect has no such call.
    /// Google's two APIs take it in different forms.
    ///
    /// # Errors
    /// A field that cannot be honoured, where such are refused.
    pub fn encode_count(self, ask: &Ask<'_>, is_vertex: bool) -> Result<Option<Vec<u8>>, CannotHonour> {
        ask.check_placed()?;
        let adapted = value_rules::adapted(self, ask)?;
        let ask = &Ask { conversation: &adapted, ..*ask };
        match self {
            Self::Gemini => gemini::encode_count(ask, is_vertex).map(Some),
            Self::OpenAiResponses => openai_responses::encode_count(ask).map(Some),
            Self::Anthropic => anthropic::encode_count(ask).map(Some),
            Self::OpenAiChat | Self::Cohere => Ok(None),
        }
    }

    /// As [`Dialect::encode_count`], of the request of a client of this dialect as it came.
    pub fn encode_count_verbatim(self, body: &Map<String, Value>, ask: &Ask<'_>) -> Option<Vec<u8>> {
        let mut fields = verbatim::fields(self, body, ask);
        match self {
            Self::Anthropic => ["max_tokens", "stream"].iter().for_each(|name| drop(fields.remove(*name))),
            Self::OpenAiResponses => openai_responses::keep_counted(&mut fields),
            Self::OpenAiChat | Self::Gemini | Self::Cohere => return None,
        }
        Some(Value::Object(fields).to_string().into_bytes())
    }

    /// The tokens that were counted; none where the body does not say. All dialects that count are understood.
    pub fn decode_count(self, body: &[u8]) -> Option<u64> {
        #[derive(serde::Deserialize)]
        struct Counted {
            #[serde(alias = "totalTokens")]
            input_tokens: u64,
        }
        serde_json::from_slice::<Counted>(body).ok().map(|counted| counted.input_tokens)
    }

    /// A decoder for one answer that comes as a stream.
    pub fn stream_decoder(self, limits: Limits) -> StreamDecoder {
        match self {
            Self::OpenAiChat => openai_chat::stream_decoder(limits),
            Self::OpenAiResponses => openai_responses::stream_decoder(limits),
            Self::Anthropic => anthropic::stream_decoder(limits),
            Self::Gemini => gemini::stream_decoder(limits),
            Self::Cohere => cohere::stream_decoder(limits),
        }
    }

    /// Decodes an answer that comes whole, and appends its pieces.
    ///
    /// # Errors
    /// As a stream of it would fail.
    pub fn decode_answer(self, body: &[u8], out: &mut Vec<Delta>) -> Result<Completion, Failure> {
        match self {
            Self::OpenAiChat => openai_chat::decode_answer(body, out),
            Self::OpenAiResponses => openai_responses::decode_answer(body, out),
            Self::Anthropic => anthropic::decode_answer(body, out),
            Self::Gemini => gemini::decode_answer(body, out),
            Self::Cohere => cohere::decode_answer(body, out),
        }
    }

    /// What an answer with an error status means. `body` is what was read of its body, whatever it is.
    pub fn classify_error(self, status: u16, hint: &RetryHint<'_>, body: &[u8]) -> Failure {
        match self {
            Self::OpenAiChat => openai_chat::classify_error(status, hint, body),
            Self::OpenAiResponses => openai_responses::classify_error(status, hint, body),
            Self::Anthropic => anthropic::classify_error(status, hint, body),
            Self::Gemini => gemini::classify_error(status, hint, body),
            Self::Cohere => cohere::classify_error(status, hint, body),
        }
    }

    /// The failure that a body tells which came with a status of success, or none if it is no error.
    pub fn classify_error_body(self, body: &[u8]) -> Option<Failure> {
        match self {
            Self::OpenAiChat => openai_chat::classify_error_body(body),
            Self::OpenAiResponses => openai_responses::classify_error_body(body),
            Self::Anthropic => anthropic::classify_error_body(body),
            Self::Gemini => gemini::classify_error_body(body),
            Self::Cohere => cohere::classify_error_body(body),
        }
    }
}

/// Towards a client.
impl Dialect {
    /// Reads a request.
    ///
    /// # Errors
    /// The field that is wrong.
    pub fn decode_request(self, body: &[u8]) -> Result<ClientRequest, InvalidRequest> {
        match self {
            Self::OpenAiChat => openai_chat::decode_request(body),
            Self::OpenAiResponses => openai_responses::decode_request(body),
            Self::Anthropic => anthropic::decode_request(body),
            Self::Gemini => gemini::decode_request(body),
            Self::Cohere => cohere::decode_request(body),
        }
    }

    /// Reads a request that a provider of this dialect may get as it came, whatever it holds.
    pub fn read_request(self, body: &Map<String, Value>) -> ClientRequest {
        let written = Value::Object(body.clone()).to_string();
        let read = self.decode_request(written.as_bytes());
        read.unwrap_or_else(|invalid| ClientRequest::unreadable(body, invalid))
    }

    /// An encoder for one answer as a stream. `include_usage` counts in dialects that tell it only when asked.
    pub fn stream_encoder(self, head: AnswerHead, include_usage: bool) -> Box<dyn EncodeStream> {
        match self {
            Self::OpenAiChat => openai_chat::stream_encoder(head, include_usage),
            Self::OpenAiResponses => openai_responses::stream_encoder(head),
            Self::Anthropic => anthropic::stream_encoder(head),
            Self::Gemini => gemini::stream_encoder(head),
            Self::Cohere => cohere::stream_encoder(head),
        }
    }

    /// An answer as one body.
    pub fn encode_answer(self, head: &AnswerHead, deltas: &[Delta], completion: &Completion) -> Vec<u8> {
        match self {
            Self::OpenAiChat => openai_chat::encode_answer(head, deltas, completion),
            Self::OpenAiResponses => openai_responses::encode_answer(head, deltas, completion),
            Self::Anthropic => anthropic::encode_answer(head, deltas, completion),
            Self::Gemini => gemini::encode_answer(head, deltas, completion),
            Self::Cohere => cohere::encode_answer(head, deltas, completion),
        }
    }

    /// As [`Dialect::stream_encoder`], for an answer that may be told by events of this dialect, which the client then gets.
    pub fn passing_encoder(
        self,
        head: AnswerHead,
        include_usage: bool,
        asked: Asked,
    ) -> Box<dyn EncodeStream> {
        match self {
            Self::OpenAiChat => openai_chat::passing_encoder(head, include_usage, asked),
            Self::OpenAiResponses => openai_responses::passing_encoder(head, asked),
            Self::Anthropic => anthropic::passing_encoder(head),
            Self::Gemini | Self::Cohere => self.stream_encoder(head, include_usage),
        }
    }

    /// Writes what shows that a silent stream is alive. A comment is glued to the next event, for one that stands alone breaks
    /// clients of OpenAI's dialects; clients of Anthropic's expect pings
    /// (<https://platform.claude.com/docs/en/build-with-claude/streaming>). The other dialects have nothing for it.
    pub fn write_keep_alive(self, out: &mut BytesMut) {
        match self {
            Self::OpenAiChat | Self::OpenAiResponses => sse::write_keep_alive(out),
            Self::Anthropic => sse::write_event(out, Some("ping"), None, None, r#"{"type": "ping"}"#),
            Self::Gemini | Self::Cohere => {}
        }
    }

    /// An answer as one body, with all that its provider said in these events and at its end; none where that was not kept. It
    /// ended so many seconds after 1970.
    pub fn passed_answer(
        self,
        head: &AnswerHead,
        asked: &Asked,
        ended_at_s: Option<u64>,
        events: Vec<ProviderEvent>,
        deltas: &[Delta],
        completion: &Completion,
    ) -> Option<Vec<u8>> {
        match self {
            Self::OpenAiChat => openai_chat::passed_answer(events, deltas, completion),
            Self::OpenAiResponses => {
                openai_responses::passed_answer(head, asked, ended_at_s, events, deltas, completion)
            }
            Self::Anthropic => anthropic::passed_answer(events, completion),
            Self::Gemini | Self::Cohere => None,
        }
    }

    /// As [`Dialect::encode_answer`], for the answer to a request, which ended so many seconds after 1970.
    pub fn encode_answer_for(
        self,
        head: &AnswerHead,
        asked: Asked,
        ended_at_s: Option<u64>,
        deltas: &[Delta],
        completion: &Completion,
    ) -> Vec<u8> {
        match self {
            Self::OpenAiChat => openai_chat::encode_answer_for(head, &asked, deltas, completion),
            Self::OpenAiResponses => {
                openai_responses::encode_answer_for(head, asked, ended_at_s, deltas, completion)
            }
            Self::Anthropic | Self::Gemini | Self::Cohere => self.encode_answer(head, deltas, completion),
        }
    }

    /// A failure as a body.
    pub fn encode_error(self, failure: &Failure) -> Vec<u8> {
        match self {
            Self::OpenAiChat => openai_chat::encode_error(failure),
            Self::OpenAiResponses => openai_responses::encode_error(failure),
            Self::Anthropic => anthropic::encode_error(failure),
            Self::Gemini => gemini::encode_error(failure),
            Self::Cohere => cohere::encode_error(failure),
        }
    }

    /// Encodes a whole answer as a stream at once, for tests and for answers that are there already.
    pub fn encode_stream(
        self,
        head: AnswerHead,
        deltas: &[Delta],
        completion: &Completion,
        include_usage: bool,
    ) -> Vec<u8> {
        let mut encoder = self.stream_encoder(head, include_usage);
        let mut out = BytesMut::new();
        deltas.iter().for_each(|delta| encoder.delta(&mut out, delta));
        encoder.finish(&mut out, completion);
        out.to_vec()
    }
}
