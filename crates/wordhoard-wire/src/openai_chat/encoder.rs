use std::collections::BTreeMap;

use bytes::{BufMut, BytesMut};
use serde_json::{Value, json};
use wordhoard_model::{Failure, FinishReason, TokenKind, Usage};

use super::beside::Beside;
use super::{CALL_ID_PREFIX, DONE, error_value, usage};
use crate::call_order::CallOrder;
use crate::tool_shape::{ToolShape, ToolShapes, custom_input};
use crate::{AnswerHead, Asked, Completion, Delta, EncodeStream, ToolCallPiece, sse};

/// An encoder for one answer as a stream. It tells the usage only where the client asked for it.
pub fn stream_encoder(head: AnswerHead, include_usage: bool) -> Box<dyn EncodeStream> {
    stream_encoder_for(head, include_usage, Asked::default())
}

/// As [`stream_encoder`], for the answer to a request.
pub(super) fn stream_encoder_for(
    head: AnswerHead,
    include_usage: bool,
    asked: Asked,
) -> Box<dyn EncodeStream> {
    let encoder = StreamEncoder { tools: asked.tools, ..StreamEncoder::new(head) };
    Box::new(ClientStream { encoder, include_usage })
}

#[derive(Debug)]
struct ClientStream {
    encoder: StreamEncoder,
    include_usage: bool,
}

impl EncodeStream for ClientStream {
    fn open(&mut self, out: &mut BytesMut) {
        self.encoder.open(out);
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        self.encoder.delta(out, delta);
    }

    fn another_call(&mut self, out: &mut BytesMut) {
        self.encoder.write_waiting(out);
    }

    fn take_over(&mut self, head: Option<&AnswerHead>, _event_count: u64) {
        self.encoder.role_written = true;
        self.encoder.has_taken_over = true;
        if let Some(head) = head {
            self.encoder.head = head.clone();
        }
    }

    fn finish(&mut self, out: &mut BytesMut, completion: &Completion) {
        let reason = completion.finish_reason.as_ref().map_or(FinishReason::STOP, |reason| &reason.0);
        self.encoder.finish(out, reason, completion.usage.as_ref(), self.include_usage);
        self.encoder.done(out);
    }

    fn fail(&mut self, out: &mut BytesMut, failure: &Failure) {
        self.encoder.write_waiting(out);
        self.encoder.error(out, failure);
    }
}

/// Encodes an answer as a stream for a client. The first chunk tells the role, as OpenAI's does.
///
/// No event has an `id:` or `retry:` field: both break clients of this dialect.
#[derive(Clone, Debug)]
pub struct StreamEncoder {
    head: AnswerHead,
    /// Which of several answers it is.
    index: usize,
    role_written: bool,
    /// What the tools are to the client.
    tools: ToolShapes,
    /// The calls of custom tools so far: their text is known when they are complete.
    custom_calls: BTreeMap<u64, ToolCallPiece>,
    order: CallOrder,
    /// Whether it goes on behind events that another encoder told: it has heard of no call that they began, and takes the
    /// pieces as they come.
    has_taken_over: bool,
}

impl StreamEncoder {
    /// An encoder for one answer.
    pub fn new(head: AnswerHead) -> Self {
        Self::of_choice(head, 0)
    }

    /// An encoder for one of several answers that share a stream.
    pub fn of_choice(head: AnswerHead, index: usize) -> Self {
        // Of several answers, each has calls of its own.
        let answer_id = if index == 0 { head.id.clone() } else { format!("{}{index}", head.id) };
        Self {
            head,
            index,
            role_written: false,
            tools: ToolShapes::default(),
            custom_calls: BTreeMap::new(),
            order: CallOrder::new(CALL_ID_PREFIX, &answer_id),
            has_taken_over: false,
        }
    }

    /// Writes the chunk that opens the answer. The first delta or the end writes it if it was not written yet.
    pub fn open(&mut self, out: &mut impl BufMut) {
        if !self.role_written {
            self.role_written = true;
            self.write(out, json!({"role": "assistant", "content": ""}), None);
        }
    }

    /// Writes one delta, and what waited for it.
    pub fn delta(&mut self, out: &mut impl BufMut, delta: &Delta) {
        self.open(out);
        if self.has_taken_over {
            return self.write_delta(out, delta);
        }
        let mut ready = Vec::new();
        self.order.take(delta, &mut ready);
        ready.iter().for_each(|delta| self.write_delta(out, delta));
    }

    fn write_waiting(&mut self, out: &mut impl BufMut) {
        let mut ready = Vec::new();
        self.order.finish(&mut ready);
        ready.iter().for_each(|delta| self.write_delta(out, delta));
    }

    fn write_delta(&mut self, out: &mut impl BufMut, delta: &Delta) {
        let body = match delta.kind {
            TokenKind::Text => json!({"content": delta.text}),
            TokenKind::Reasoning => json!({"reasoning_content": delta.text}),
            TokenKind::Refusal => json!({"refusal": delta.text}),
            TokenKind::ToolCall => match self.tool_call(ToolCallPiece::from_text(&delta.text)) {
                Some(call) => json!({"tool_calls": [call]}),
                None => return,
            },
            TokenKind::Annotation => match Beside::of(delta) {
                Some(Beside::Citation(said)) => json!({"annotations": [said]}),
                Some(Beside::LogProbs(logprobs)) => return self.write_logprobs(out, logprobs),
                None => return,
            },
        };
        self.write(out, body, None);
    }

    /// Writes the chunk that says why the answer ended, and the usage chunk if the client asked for it. Without usage
    /// to tell, none is made up.
    pub fn finish(
        &mut self,
        out: &mut impl BufMut,
        reason: &str,
        usage: Option<&Usage>,
        include_usage: bool,
    ) {
        self.open(out);
        self.write_waiting(out);
        for call in std::mem::take(&mut self.custom_calls).into_values() {
            self.write(out, json!({"tool_calls": [custom_call(&call, Some(call.index))]}), None);
        }
        self.write(out, json!({}), Some(reason));
        if let Some(usage) = usage.filter(|_| include_usage) {
            self.usage(out, usage);
        }
    }

    /// Writes the chunk that tells the usage of the whole stream.
    pub fn usage(&self, out: &mut impl BufMut, usage: &Usage) {
        let mut chunk = self.chunk(json!([]));
        usage::put(&mut chunk, usage);
        write_data(out, &chunk);
    }

    /// Writes `[DONE]`. Never after an error.
    pub fn done(&self, out: &mut impl BufMut) {
        sse::write_event(out, None, None, None, DONE);
    }

    /// Writes a failure in mid-stream. The stream then ends without `[DONE]`.
    pub fn error(&self, out: &mut impl BufMut, failure: &Failure) {
        write_data(out, &error_value(failure));
    }

    /// The fragment of a call of a function; nothing for one of a custom tool, which is kept until the end.
    fn tool_call(&mut self, piece: ToolCallPiece) -> Option<Value> {
        if let Some(so_far) = self.custom_calls.get_mut(&piece.index) {
            so_far.append(piece);
            return None;
        }
        let name = piece.name.as_deref().unwrap_or_default();
        if !name.is_empty() && matches!(self.tools.of_call(name), ToolShape::Custom { .. }) {
            self.custom_calls.insert(piece.index, piece);
            return None;
        }
        Some(function_call(piece))
    }

    fn write(&self, out: &mut impl BufMut, delta: Value, finish_reason: Option<&str>) {
        let choice = json!({"index": self.index, "delta": delta, "finish_reason": finish_reason});
        write_data(out, &self.chunk(json!([choice])));
    }

    fn write_logprobs(&self, out: &mut impl BufMut, logprobs: Value) {
        let choice = json!({"index": self.index, "delta": {}, "logprobs": logprobs, "finish_reason": null});
        write_data(out, &self.chunk(json!([choice])));
    }

    fn chunk(&self, choices: Value) -> Value {
        json!({
            "id": self.head.id,
            "object": "chat.completion.chunk",
            "created": self.head.created_s,
            "model": self.head.model,
            "choices": choices,
        })
    }
}

fn function_call(piece: ToolCallPiece) -> Value {
    let mut function = json!({});
    if let Some(name) = piece.name {
        function["name"] = name.into();
    }
    if let Some(arguments) = piece.arguments {
        function["arguments"] = arguments.into();
    }
    let mut call = json!({"index": piece.index});
    if let Some(id) = piece.id {
        call["id"] = id.into();
        call["type"] = "function".into();
    }
    call["function"] = function;
    call
}

/// A complete call of a custom tool; its number stands in streams only.
/// <https://platform.openai.com/docs/api-reference/chat/object>, tool_calls.
pub(super) fn custom_call(call: &ToolCallPiece, index: Option<u64>) -> Value {
    let custom = json!({"name": call.name, "input": custom_input(call)});
    let mut value = json!({"id": call.id, "type": "custom", "custom": custom});
    if let Some(index) = index {
        value["index"] = index.into();
    }
    value
}

fn write_data(out: &mut impl BufMut, chunk: &Value) {
    sse::write_event(out, None, None, None, &chunk.to_string());
}
