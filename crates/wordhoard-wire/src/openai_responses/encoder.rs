use std::collections::BTreeMap;

use bytes::BytesMut;
use serde_json::{Value, json};
use wordhoard_model::{Failure, FailureClass, FinishReason, TokenKind};

use super::CALL_ID_PREFIX;
use super::event::UsageBody;
use crate::call_order::InOrder;
use crate::openai_chat::own_tier;
use crate::tool_shape::{ToolShape, custom_input, local_shell_action};
use crate::{AnswerHead, Asked, Completion, Delta, EncodeStream, ToolCallPiece, compaction, sse};

/// An encoder for one answer as a stream, with every event that the official clients put an answer together from.
pub fn stream_encoder(head: AnswerHead) -> Box<dyn EncodeStream> {
    stream_encoder_for(head, Asked::default())
}

/// As [`stream_encoder`], for the answer to a request.
pub fn stream_encoder_for(head: AnswerHead, asked: Asked) -> Box<dyn EncodeStream> {
    let id = head.id.clone();
    Box::new(InOrder::new(ResponseStream::new(head, asked), CALL_ID_PREFIX, &id))
}

/// A response that is no whole answer: one that runs, was cancelled, or failed.
pub fn encode_state(head: AnswerHead, asked: Asked, status: &str, failure: Option<&Failure>) -> Value {
    let mut response = ResponseStream::new(head, asked).response(status);
    if let Some(failure) = failure {
        response["error"] = error_of(failure);
    }
    response
}

/// Source of the codes: <https://platform.openai.com/docs/api-reference/responses/object>, error.
fn error_of(failure: &Failure) -> Value {
    let code = match failure.class {
        FailureClass::RateLimited => "rate_limit_exceeded",
        FailureClass::ContextLength | FailureClass::BadRequest | FailureClass::ContentPolicy => {
            "invalid_prompt"
        }
        _ => "server_error",
    };
    json!({"code": code, "message": failure.message})
}

/// Writes the events of a response, and puts it together as it goes: the last event holds all of it.
#[derive(Debug)]
pub(super) struct ResponseStream {
    head: AnswerHead,
    asked: Asked,
    sequence_number: u64,
    opened: bool,
    /// The items so far, each as it is now; those that are open too.
    output: Vec<Value>,
    current: Option<OpenItem>,
    /// When the answer ended, in seconds since 1970, where that is known.
    completed_at_s: Option<u64>,
    /// The open calls of tools, by the number of the call.
    calls: BTreeMap<u64, OpenCall>,
    /// The summary so far, where the answer is one.
    summary: String,
}

/// A call of a tool that may still grow.
#[derive(Debug)]
struct OpenCall {
    /// Its fragments so far, joined.
    call: ToolCallPiece,
    /// Where its item stands in `output`; none before there is one.
    place: Option<usize>,
}

/// The open item of text, reasoning or a refusal.
#[derive(Debug)]
struct OpenItem {
    kind: TokenKind,
    place: usize,
    text: String,
    annotations: Vec<Value>,
}

impl EncodeStream for ResponseStream {
    fn open(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        for kind in ["response.created", "response.in_progress"] {
            let response = self.response("in_progress");
            self.write(out, kind, json!({"response": response}));
        }
    }

    fn delta(&mut self, out: &mut BytesMut, delta: &Delta) {
        self.take(out, delta);
    }

    fn take_over(&mut self, _head: Option<&AnswerHead>, event_count: u64) {
        self.sequence_number = event_count;
    }

    fn ended(&mut self, at_s: u64) {
        self.completed_at_s = Some(at_s);
    }

    fn finish(&mut self, out: &mut BytesMut, completion: &Completion) {
        let response = self.end(out, completion);
        let kind = match response["status"].as_str() {
            Some("completed") => "response.completed",
            _ => "response.incomplete",
        };
        self.write(out, kind, json!({"response": response}));
    }

    fn fail(&mut self, out: &mut BytesMut, failure: &Failure) {
        self.open(out);
        let mut response = self.response("failed");
        response["error"] = error_of(failure);
        self.write(out, "response.failed", json!({"response": response}));
    }
}

impl ResponseStream {
    pub(super) fn new(head: AnswerHead, asked: Asked) -> Self {
        Self {
            head,
            asked,
            sequence_number: 0,
            opened: false,
            output: Vec::new(),
            current: None,
            completed_at_s: None,
            calls: BTreeMap::new(),
            summary: String::new(),
        }
    }

    /// Takes one piece in, and writes its events.
    pub(super) fn take(&mut self, out: &mut BytesMut, delta: &Delta) {
        self.open(out);
        match delta.kind {
            TokenKind::Text if self.asked.is_summary => self.summary.push_str(&delta.text),
            _ if self.asked.is_summary => {}
            TokenKind::Text | TokenKind::Reasoning | TokenKind::Refusal => {
                self.say(out, delta.kind, &delta.text);
            }
            TokenKind::ToolCall => self.call(out, ToolCallPiece::from_text(&delta.text)),
            TokenKind::Annotation => {
                let said: Value = serde_json::from_str(&delta.text).unwrap_or_default();
                self.annotate(out, said);
            }
        }
    }

    /// Ends all items, writes their events, and gives the whole response.
    pub(super) fn end(&mut self, out: &mut BytesMut, completion: &Completion) -> Value {
        self.open(out);
        self.close_all(out);
        if self.asked.is_summary {
            let item = compaction::item(&std::mem::take(&mut self.summary));
            self.add_complete(out, item);
        }
        let reason = completion.finish_reason.as_ref().map_or(FinishReason::STOP, |reason| &reason.0);
        let why = match reason {
            FinishReason::LENGTH => Some("max_output_tokens"),
            FinishReason::CONTENT_FILTER => Some("content_filter"),
            _ => None,
        };
        let mut response = self.response(if why.is_none() { "completed" } else { "incomplete" });
        response["completed_at"] = self.completed_at_s.filter(|_| why.is_none()).into();
        response["incomplete_details"] = json!(why.map(|reason| json!({"reason": reason})));
        response["usage"] = json!(completion.usage.map(UsageBody::from));
        if let Some(tier) = completion.usage.as_ref().and_then(own_tier) {
            response["service_tier"] = tier.into();
        }
        response
    }

    fn say(&mut self, out: &mut BytesMut, kind: TokenKind, text: &str) {
        let place = self.enter(out, kind);
        if let Some(open) = &mut self.current {
            open.text.push_str(text);
        }
        let (name, field) = match kind {
            TokenKind::Reasoning => ("response.reasoning_summary_text.delta", "summary_index"),
            TokenKind::Refusal => ("response.refusal.delta", "content_index"),
            _ => ("response.output_text.delta", "content_index"),
        };
        let id = self.output[place]["id"].clone();
        let mut delta = json!({"item_id": id, "output_index": place, field: 0, "delta": text});
        if kind == TokenKind::Text {
            delta["logprobs"] = json!([]);
        }
        self.write(out, name, delta);
    }

    /// The place of the item that such a piece goes into; opened where it is not open.
    fn enter(&mut self, out: &mut BytesMut, kind: TokenKind) -> usize {
        if let Some(open) = self.current.as_ref().filter(|open| open.kind == kind) {
            return open.place;
        }
        self.close_all(out);
        let item = match kind {
            TokenKind::Reasoning => json!({"type": "reasoning", "summary": []}),
            _ => json!({"type": "message", "role": "assistant", "content": []}),
        };
        let place = self.add_item(out, item);
        let open = OpenItem { kind, place, text: String::new(), annotations: Vec::new() };
        let (event, field) = part_event(kind, "added");
        let id = self.output[place]["id"].clone();
        self.write(out, event, json!({"item_id": id, "output_index": place, field: 0, "part": open.part()}));
        self.current = Some(open);
        place
    }

    /// Ends what is open: items come one after the other.
    fn close_all(&mut self, out: &mut BytesMut) {
        self.close_current(out);
        for call in std::mem::take(&mut self.calls).into_values() {
            self.close_call(out, call);
        }
    }

    fn close_current(&mut self, out: &mut BytesMut) {
        let Some(open) = self.current.take() else { return };
        let place = open.place;
        let (id, part) = (self.output[place]["id"].clone(), open.part());
        let (name, index, field) = match open.kind {
            TokenKind::Reasoning => ("response.reasoning_summary_text.done", "summary_index", "text"),
            TokenKind::Refusal => ("response.refusal.done", "content_index", "refusal"),
            _ => ("response.output_text.done", "content_index", "text"),
        };
        let mut done = json!({"item_id": id, "output_index": place, field: open.text});
        done[index] = 0.into();
        if open.kind == TokenKind::Text {
            done["logprobs"] = json!([]);
        }
        self.write(out, name, done);
        let (event, index) = part_event(open.kind, "done");
        self.write(out, event, json!({"item_id": id, "output_index": place, index: 0, "part": part}));
        let list = if open.kind == TokenKind::Reasoning { "summary" } else { "content" };
        self.output[place][list] = json!([part]);
        self.output[place]["status"] = "completed".into();
        let item = self.output[place].clone();
        self.write(out, "response.output_item.done", json!({"output_index": place, "item": item}));
    }

    /// Takes a fragment of a call. Its item has the form of the client's tool; only that of a function grows piece by piece.
    fn call(&mut self, out: &mut BytesMut, piece: ToolCallPiece) {
        if !self.calls.contains_key(&piece.index) {
            self.close_all(out);
        }
        let (index, arguments) = (piece.index, piece.arguments.clone());
        if !self.calls.contains_key(&index) {
            let opened = self.open_call(out, piece);
            self.calls.insert(index, opened);
        } else if let Some(open) = self.calls.get_mut(&index) {
            open.call.append(piece);
        }
        let Some(OpenCall { place: Some(place), .. }) = self.calls.get(&index) else { return };
        let (place, arguments) = (*place, arguments.unwrap_or_default());
        if arguments.is_empty() || self.output[place]["type"] != "function_call" {
            return;
        }
        let so_far = self.output[place]["arguments"].as_str().unwrap_or_default();
        self.output[place]["arguments"] = format!("{so_far}{arguments}").into();
        let id = self.output[place]["id"].clone();
        let delta = json!({"item_id": id, "output_index": place, "delta": arguments});
        self.write(out, "response.function_call_arguments.delta", delta);
    }

    fn open_call(&mut self, out: &mut BytesMut, call: ToolCallPiece) -> OpenCall {
        let id = call.id.clone().unwrap_or_default();
        let shape = self.asked.tools.of_call(call.name.as_deref().unwrap_or_default());
        let mut item = match &shape {
            ToolShape::Function { name, .. } => {
                json!({"type": "function_call", "call_id": id, "name": name, "arguments": ""})
            }
            ToolShape::Custom { name, .. } => {
                json!({"type": "custom_tool_call", "call_id": id, "name": name, "input": ""})
            }
            // Its item says at once what it is to do.
            ToolShape::LocalShell => return OpenCall { call, place: None },
        };
        if let ToolShape::Function { namespace: Some(namespace), .. }
        | ToolShape::Custom { namespace: Some(namespace), .. } = shape
        {
            item["namespace"] = namespace.into();
        }
        OpenCall { call, place: Some(self.add_item(out, item)) }
    }

    fn close_call(&mut self, out: &mut BytesMut, OpenCall { call, place }: OpenCall) {
        let Some(place) = place else {
            let action = local_shell_action(&call);
            let item = json!({"type": "local_shell_call", "call_id": call.id, "action": action});
            return self.add_complete(out, item);
        };
        self.output[place]["status"] = "completed".into();
        let id = self.output[place]["id"].clone();
        if self.output[place]["type"] == "custom_tool_call" {
            let input = custom_input(&call);
            self.output[place]["input"] = input.as_str().into();
            let delta = json!({"item_id": id, "output_index": place, "delta": input});
            self.write(out, "response.custom_tool_call_input.delta", delta);
            let done = json!({"item_id": id, "output_index": place, "input": input});
            self.write(out, "response.custom_tool_call_input.done", done);
        } else {
            let item = &self.output[place];
            let done = json!({
                "item_id": id, "output_index": place, "arguments": item["arguments"], "name": item["name"],
            });
            self.write(out, "response.function_call_arguments.done", done);
        }
        let item = self.output[place].clone();
        self.write(out, "response.output_item.done", json!({"output_index": place, "item": item}));
    }

    /// Adds an item that is complete at once.
    fn add_complete(&mut self, out: &mut BytesMut, item: Value) {
        let place = self.add_item(out, item);
        self.output[place]["status"] = "completed".into();
        let item = self.output[place].clone();
        self.write(out, "response.output_item.done", json!({"output_index": place, "item": item}));
    }

    /// An item of a tool that the provider ran stands by itself; all else belongs to a text.
    fn annotate(&mut self, out: &mut BytesMut, said: Value) {
        let kind = said.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind.ends_with("_call") || kind == "reasoning" {
            self.close_all(out);
            let place = self.output.len();
            self.output.push(said.clone());
            for name in ["response.output_item.added", "response.output_item.done"] {
                self.write(out, name, json!({"output_index": place, "item": said}));
            }
        } else if ANNOTATIONS.contains(&kind) {
            let said = own_annotation(said);
            let place = self.enter(out, TokenKind::Text);
            let Some(open) = &mut self.current else { return };
            open.annotations.push(said.clone());
            let annotation_index = open.annotations.len() - 1;
            let id = self.output[place]["id"].clone();
            let added = json!({
                "item_id": id, "output_index": place, "content_index": 0,
                "annotation_index": annotation_index, "annotation": said,
            });
            self.write(out, "response.output_text.annotation.added", added);
        }
    }

    fn add_item(&mut self, out: &mut BytesMut, mut item: Value) -> usize {
        let place = self.output.len();
        let prefix = id_prefix(item["type"].as_str());
        item["id"] = format!("{prefix}_{}_{place}", self.head.id).into();
        item["status"] = "in_progress".into();
        self.output.push(item.clone());
        self.write(out, "response.output_item.added", json!({"output_index": place, "item": item}));
        place
    }

    /// With every field that a response has to have:
    /// <https://github.com/openresponses/openresponses>, `schema/components/schemas/ResponseResource.json`.
    fn response(&self, status: &str) -> Value {
        let mut response = json!({
            "id": self.head.id,
            "object": "response",
            "created_at": self.head.created_s,
            "completed_at": null,
            "status": status,
            "background": false,
            "error": null,
            "frequency_penalty": 0.0,
            "incomplete_details": null,
            "instructions": null,
            "max_output_tokens": null,
            "max_tool_calls": null,
            "metadata": {},
            "model": self.head.model,
            "output": self.output,
            "parallel_tool_calls": true,
            "presence_penalty": 0.0,
            "previous_response_id": null,
            "prompt_cache_key": null,
            "reasoning": {"effort": null, "summary": null},
            "safety_identifier": null,
            "service_tier": "default",
            "store": true,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": 0,
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": null,
            "user": null,
        });
        for (name, value) in &self.asked.repeated {
            response[name] = value.clone();
        }
        response
    }

    fn write(&mut self, out: &mut BytesMut, kind: &str, mut data: Value) {
        data["type"] = kind.into();
        data["sequence_number"] = self.sequence_number.into();
        self.sequence_number += 1;
        sse::write_event(out, Some(kind), None, None, &data.to_string());
    }
}

/// <https://platform.openai.com/docs/api-reference/responses/object>, output_text.annotations.
const ANNOTATIONS: [&str; 4] = ["file_citation", "url_citation", "container_file_citation", "file_path"];

/// An annotation in the form of this dialect: the chat dialect has the fields of a citation one level deeper.
fn own_annotation(mut said: Value) -> Value {
    match said.get_mut("url_citation").map(Value::take) {
        Some(Value::Object(mut fields)) => {
            fields.insert("type".to_owned(), "url_citation".into());
            fields.into()
        }
        _ => said,
    }
}

impl OpenItem {
    fn part(&self) -> Value {
        match self.kind {
            TokenKind::Reasoning => json!({"type": "summary_text", "text": self.text}),
            TokenKind::Refusal => json!({"type": "refusal", "refusal": self.text}),
            _ => json!({
                "type": "output_text", "text": self.text, "annotations": self.annotations, "logprobs": [],
            }),
        }
    }
}

/// With what the id of an item of that type begins.
pub(super) fn id_prefix(kind: Option<&str>) -> &'static str {
    match kind {
        Some("reasoning") => "rs",
        Some("function_call") => "fc",
        Some("custom_tool_call") => "ctc",
        Some("local_shell_call") => "lsh",
        Some(compaction::ITEM) => "cmp",
        _ => "msg",
    }
}

fn part_event(kind: TokenKind, end: &str) -> (&'static str, &'static str) {
    match (kind, end) {
        (TokenKind::Reasoning, "added") => ("response.reasoning_summary_part.added", "summary_index"),
        (TokenKind::Reasoning, _) => ("response.reasoning_summary_part.done", "summary_index"),
        (_, "added") => ("response.content_part.added", "content_index"),
        _ => ("response.content_part.done", "content_index"),
    }
}
