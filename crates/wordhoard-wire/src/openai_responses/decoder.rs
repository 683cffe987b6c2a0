use std::collections::{HashMap, HashSet};

use serde_json::Value;
use wordhoard_model::{Failure, FailureClass, TokenKind};

use super::calls::Calls;
use super::event::{Event, Response};
use super::output::{Slot, is_call, item_deltas, item_texts, push, sealed_reasoning};
use super::plain_delta;
use crate::clean_text::model_name;
use crate::ending::Seen;
use crate::error_body::classify_stream_error;
use crate::logprobs;
use crate::plain_text::{Part, PlainText};
use crate::said_so_far::SaidSoFar;
use crate::stream::{self, Fold};
use crate::tool_shape::custom_piece;
use crate::{Completion, Delta, Limits, StreamDecoder, sse, tolerant};

const ENDED: [&str; 3] = ["response.completed", "response.incomplete", "response.failed"];

/// A decoder for one answer that comes as a stream. What a server tells only whole, at the end of a part, of an item or of
/// the response, counts then.
pub fn stream_decoder(limits: Limits) -> StreamDecoder {
    StreamDecoder::new(limits, Box::new(ResponseFold::default()))
}

/// What was seen of an answer.
#[derive(Debug, Default)]
struct ResponseFold {
    calls: Calls,
    /// What was said of each part of each item.
    said: HashMap<(u64, Slot, u64), SaidSoFar>,
    /// What was said since the last item or part began, of whatever it is.
    run: SaidSoFar,
    /// What was said in all, by kind.
    totals: HashMap<TokenKind, SaidSoFar>,
    /// The items that have ended: their places, and their ids where they have some.
    ended_places: HashSet<u64>,
    ended_ids: HashSet<String>,
    /// What the last event has told, where nothing was told before it.
    told_at_the_end: HashSet<TokenKind>,
    answered_by: Option<String>,
    id: Option<String>,
    end: Option<Response>,
    seen: Seen,
}

impl Fold for ResponseFold {
    fn take(&mut self, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let Some(mut told) = stream::read_event::<Event>(event)? else { return Ok(()) };
        if told.kind.is_none() && event.event.is_none() {
            // A response that came whole where a stream was due.
            told.response = tolerant::read::<Response>(&event.data).ok();
            let is_whole =
                told.response.as_ref().is_some_and(|whole| whole.object.as_deref() == Some("response"));
            told.kind = is_whole.then(|| ENDED[0].to_owned());
        }
        let before = out.len();
        let taken = self.take_event(told, event, out);
        self.seen.note(&out[before..]);
        taken
    }

    fn plain_text<'a>(&self, event: &'a sse::Event) -> Option<PlainText<'a>> {
        plain_delta::read(&event.data)
    }

    fn say(&mut self, kind: TokenKind, (place, part): Part, text: &str) {
        self.note_said((place, Slot::of(kind), part), text);
        self.seen.has_said = true;
    }

    fn is_done(&self) -> bool {
        self.end.is_some()
    }

    fn has_finish_reason(&self) -> bool {
        self.end.is_some()
    }

    fn so_far(&self) -> Completion {
        let ended = self.end.as_ref().and_then(|response| ending(response, self.seen).ok());
        Completion {
            usage: self.end.as_ref().and_then(Response::usage),
            answered_by: self.answered_by.clone(),
            ..ended.unwrap_or_default()
        }
    }

    fn finish(&self) -> Result<Completion, Failure> {
        ending(self.end.as_ref().ok_or_else(stream::cut)?, self.seen)?;
        Ok(self.so_far())
    }
}

impl ResponseFold {
    fn take_event(&mut self, told: Event, event: &sse::Event, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let kind = told.kind.as_deref().or(event.event.as_deref()).unwrap_or_default();
        let place = told.output_index.unwrap_or(0);
        let part = told.content_index.or(told.summary_index).unwrap_or(0);
        let whole = told.text.or(told.refusal).or(told.arguments).or(told.input).unwrap_or_default();
        let delta = told.delta.unwrap_or_default();
        match kind {
            "response.created" => {
                let response = told.response.unwrap_or_default();
                self.answered_by = model_name(response.model);
                self.id = response.id;
            }
            "response.output_item.added" => {
                self.run = SaidSoFar::default();
                self.calls.begin(place, &told.item.unwrap_or_default(), out);
            }
            "response.content_part.added" | "response.reasoning_summary_part.added" => {
                self.run = SaidSoFar::default();
            }
            "response.output_item.done" => self.end_item(place, &told.item.unwrap_or_default(), out),
            "response.output_text.delta" => {
                self.say_piece((place, Slot::Text, part), &delta, out);
                out.extend(told.logprobs.and_then(logprobs::of_content));
            }
            "response.refusal.delta" => self.say_piece((place, Slot::Refusal, part), &delta, out),
            // Servers of open models tell the reasoning itself, OpenAI a summary of it.
            "response.reasoning_summary_text.delta" => {
                self.say_piece((place, Slot::Summary, part), &delta, out);
            }
            "response.reasoning_text.delta" => self.say_piece((place, Slot::Reasoning, part), &delta, out),
            "response.output_text.done" => self.say_rest((place, Slot::Text, part), &whole, out),
            "response.refusal.done" => self.say_rest((place, Slot::Refusal, part), &whole, out),
            "response.reasoning_summary_text.done" => {
                self.say_rest((place, Slot::Summary, part), &whole, out);
            }
            "response.reasoning_text.done" => self.say_rest((place, Slot::Reasoning, part), &whole, out),
            "response.function_call_arguments.delta" => self.calls.argue(place, &delta, out),
            "response.function_call_arguments.done" => self.calls.argue_rest(place, &whole, out),
            // A custom tool takes any text: <https://platform.openai.com/docs/guides/function-calling#custom-tools>.
            "response.custom_tool_call_input.delta" => self.calls.argue(place, &custom_piece(&delta), out),
            "response.custom_tool_call_input.done" => {
                self.calls.argue_rest(place, &custom_piece(&whole), out);
            }
            "response.output_text.annotation.added" => {
                let annotation = told.annotation.filter(|said| !said.is_null());
                push(out, TokenKind::Annotation, annotation.map(|said| said.to_string()).as_deref());
            }
            // The three ways to end; the response says which it is.
            ended if ENDED.contains(&ended) => {
                let mut response = told.response.unwrap_or_default();
                let status = kind.strip_prefix("response.").map(str::to_owned);
                response.status = response.status.take().or(status);
                self.answered_by = model_name(response.model.take()).or(self.answered_by.take());
                self.take_output(&response.output, out);
                self.calls.end_all(out);
                self.end = Some(response);
            }
            "error" => {
                let told: Value = serde_json::from_str(&event.data).unwrap_or_default();
                let error = told.get("error").filter(|error| !error.is_null());
                return Err(classify_stream_error(error.unwrap_or(&told)));
            }
            // What begins and ends the parts of an item, how tools of the provider go on, and what is still to come.
            _ => {}
        }
        Ok(())
    }

    fn say_piece(&mut self, part: (u64, Slot, u64), text: &str, out: &mut Vec<Delta>) {
        self.note_said(part, text);
        push(out, part.1.kind(), Some(text));
    }

    fn note_said(&mut self, part: (u64, Slot, u64), text: &str) {
        self.said.entry(part).or_default().push(text);
        self.totals.entry(part.1.kind()).or_default().push(text);
        self.run.push(text);
    }

    /// Says what of a part was not said yet, now that it is told whole. Of one that nothing was said of, the pieces may have
    /// come under another number.
    fn say_rest(&mut self, part: (u64, Slot, u64), whole: &str, out: &mut Vec<Delta>) {
        let said = self.said.get(&part).copied().unwrap_or_default();
        let is_run = said.is_empty() && self.run.is_all_of(whole);
        if let Some(rest) = said.rest_of(whole).filter(|_| !is_run) {
            self.say_piece(part, rest, out);
        }
    }

    fn has_said_of(&self, place: u64) -> bool {
        self.said.keys().any(|(of, _, _)| *of == place)
    }

    fn end_item(&mut self, place: u64, item: &Value, out: &mut Vec<Delta>) {
        let kind = item.get("type").and_then(Value::as_str);
        self.ended_ids.extend(item.get("id").and_then(Value::as_str).map(str::to_owned));
        self.ended_places.insert(place);
        if is_call(kind) {
            self.calls.end(place, item, out);
        } else if !(self.has_said_of(place) || kind == Some("message") && self.is_run(item)) {
            let before = out.len();
            item_deltas(item, out);
            self.note_told(place, &out[before..]);
        } else if kind == Some("message") {
            for (part, (slot, text)) in (0..).zip(item_texts(item)) {
                self.say_rest((place, slot, part), text, out);
            }
        } else if kind == Some("reasoning") {
            sealed_reasoning(item, out);
        }
    }

    fn is_run(&self, item: &Value) -> bool {
        let whole: String = item_texts(item).map(|(_, text)| text).collect();
        !whole.is_empty() && self.run.is_all_of(&whole)
    }

    fn note_told(&mut self, place: u64, pieces: &[Delta]) {
        for Delta { kind, text, .. } in pieces {
            self.totals.entry(*kind).or_default().push(text);
            self.said.entry((place, Slot::of(*kind), 0)).or_default().push(text);
        }
    }

    /// The output as the last event repeats it: servers exist that tell an answer only there. Of a text that was told, the
    /// rest is taken; where the two differ, what was told stands.
    fn take_output(&mut self, output: &[Value], out: &mut Vec<Delta>) {
        for (place, item) in (0..).zip(output) {
            let kind = item.get("type").and_then(Value::as_str);
            let id = item.get("id").and_then(Value::as_str);
            if is_call(kind) {
                self.calls.repeat(place, item, out);
            } else if matches!(kind, Some("message" | "reasoning")) {
                self.take_texts(place, output, out);
            } else if !self.ended_places.contains(&place) && id.is_none_or(|id| !self.ended_ids.contains(id))
            {
                item_deltas(item, out);
            }
        }
    }

    /// The texts of the items of the last event, by all that was said of their kind.
    fn take_texts(&mut self, place: u64, output: &[Value], out: &mut Vec<Delta>) {
        let kinds = [TokenKind::Reasoning, TokenKind::Text, TokenKind::Refusal];
        // What this very event has told does not count: its items are told one after the other.
        let was_told = |kind: &TokenKind| {
            !self.told_at_the_end.contains(kind) && self.totals.get(kind).is_some_and(|said| !said.is_empty())
        };
        let is_new = !self.ended_places.contains(&place);
        if is_new && !kinds.iter().any(was_told) {
            let before = out.len();
            item_deltas(&output[place as usize], out);
            self.note_told(place, &out[before..]);
            self.told_at_the_end.extend(out[before..].iter().map(|piece| piece.kind));
            return;
        }
        if !self.told_at_the_end.is_empty() {
            return;
        }
        for kind in kinds {
            let texts = output.iter().flat_map(item_texts).filter(|(slot, _)| slot.kind() == kind);
            let whole: String = texts.map(|(_, text)| text).collect();
            let said = self.totals.get(&kind).copied().unwrap_or_default();
            if let Some(rest) = said.rest_of(&whole) {
                self.say_piece((place, Slot::of(kind), 0), rest, out);
            }
        }
    }
}

/// Why a response ended.
///
/// # Errors
/// Where it is no way to complete.
pub(super) fn ending(response: &Response, seen: Seen) -> Result<Completion, Failure> {
    if let Some(error) = response.error.as_ref().filter(|error| !error.is_null()) {
        return Err(classify_stream_error(error));
    }
    let why = response.incomplete_details.as_ref().and_then(|details| details.reason.as_deref());
    match (response.status.as_deref(), why) {
        (Some("completed"), _) => {
            // The dialect has no word for a call: that it is complete is all that it tells.
            let Completion { finish_reason, .. } = Completion::told("completed", seen)?;
            Ok(Completion { finish_reason, ..Completion::default() })
        }
        (Some("incomplete"), Some(why)) => Completion::told(why, seen),
        (status, _) => {
            let status = crate::one_line(status.unwrap_or("nothing"), 64);
            let message = format!("the provider ended the answer with the status {status}");
            Err(Failure::new(FailureClass::StreamError, message))
        }
    }
}
