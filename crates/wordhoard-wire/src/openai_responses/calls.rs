//! The calls of tools in a provider's stream, each an item of its own.

use serde_json::Value;
use wordhoard_model::TokenKind;

use super::output::{call_piece, push};
use crate::said_so_far::SaidSoFar;
use crate::tool_shape::{CUSTOM_CLOSING, CUSTOM_OPENING, custom_piece};
use crate::{Delta, ToolCallPiece};

/// The calls so far, numbered from 0 in the order in which they began. A call is known by its place among the items and by
/// its id: there are servers of which all items have the same place.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug, Default)]
struct Call {
    place: u64,
    id: Option<String>,
    name: Option<String>,
    arguments: SaidSoFar,
    /// Whether the JSON around its text has to be closed.
    is_custom: bool,
    has_ended: bool,
}

impl Calls {
    /// Begins the call that an item is; nothing where it is none, or one that is told whole at its end.
    pub(super) fn begin(&mut self, place: u64, item: &Value, out: &mut Vec<Delta>) {
        let opening = match item.get("type").and_then(Value::as_str) {
            Some("function_call") => None,
            Some("custom_tool_call") => Some(CUSTOM_OPENING.to_owned()),
            _ => return,
        };
        let ToolCallPiece { id, name, .. } = call_piece(item);
        let index = self.number(place, id.as_deref());
        let call = &mut self.0[index as usize];
        call.is_custom = opening.is_some();
        let (id, name) = (call.new_id(id), call.new_name(name));
        say(ToolCallPiece { index, id, name, arguments: opening }, out);
    }

    /// Takes a piece of the arguments of a call.
    pub(super) fn argue(&mut self, place: u64, arguments: &str, out: &mut Vec<Delta>) {
        let index = self.number(place, None);
        self.0[index as usize].arguments.push(arguments);
        let arguments = Some(arguments.to_owned());
        say(ToolCallPiece { index, arguments, ..ToolCallPiece::default() }, out);
    }

    /// Takes what of the arguments was not told yet, now that they are told whole.
    pub(super) fn argue_rest(&mut self, place: u64, whole: &str, out: &mut Vec<Delta>) {
        let index = self.number(place, None);
        if let Some(rest) = self.0[index as usize].arguments.rest_of(whole) {
            self.argue(place, rest, out);
        }
    }

    /// Takes a call that is told whole: what of it was not told yet.
    pub(super) fn end(&mut self, place: u64, item: &Value, out: &mut Vec<Delta>) {
        let whole = call_piece(item);
        let known = self.find(place, whole.id.as_deref());
        let index = known.unwrap_or_else(|| self.number(place, whole.id.as_deref()) as usize);
        let call = &mut self.0[index];
        if std::mem::replace(&mut call.has_ended, true) {
            return;
        }
        let (id, name) = (call.new_id(whole.id), call.new_name(whole.name));
        let arguments = match &whole.arguments {
            Some(_) if call.is_custom => {
                let input = item.get("input").and_then(Value::as_str).unwrap_or_default();
                let input = custom_piece(input);
                call.arguments.rest_of(&input).unwrap_or_default().to_owned() + CUSTOM_CLOSING
            }
            Some(arguments) => call.arguments.rest_of(arguments).unwrap_or_default().to_owned(),
            None if call.is_custom => CUSTOM_CLOSING.to_owned(),
            None => String::new(),
        };
        call.arguments.push(&arguments);
        say(ToolCallPiece { index: index as u64, id, name, arguments: Some(arguments) }, out);
    }

    /// Takes a call that the last event repeats. Servers exist that give it another id there.
    pub(super) fn repeat(&mut self, place: u64, item: &Value, out: &mut Vec<Delta>) {
        let whole = call_piece(item);
        let arguments = whole.arguments.as_deref().unwrap_or_default();
        let is_same = |call: &Call| {
            call.has_ended
                && !call.is_custom
                && call.name == whole.name
                && call.arguments.is_all_of(arguments)
        };
        let is_known = self.find(place, whole.id.as_deref()).is_some();
        let is_at_place = self.0.iter().any(|call| call.place == place && call.has_ended);
        if is_known || !(is_at_place || self.0.iter().any(is_same)) {
            self.end(place, item, out);
        }
    }

    /// Closes what no item has ended.
    pub(super) fn end_all(&mut self, out: &mut Vec<Delta>) {
        for (index, call) in (0..).zip(&mut self.0) {
            if call.is_custom && !std::mem::replace(&mut call.has_ended, true) {
                let arguments = Some(CUSTOM_CLOSING.to_owned());
                say(ToolCallPiece { index, arguments, ..ToolCallPiece::default() }, out);
            }
        }
    }

    fn find(&self, place: u64, id: Option<&str>) -> Option<usize> {
        let by_id = id.and_then(|id| self.0.iter().position(|call| call.id.as_deref() == Some(id)));
        by_id.or_else(|| {
            let at = self.0.iter().rposition(|call| call.place == place)?;
            (id.is_none() || self.0[at].id.is_none()).then_some(at)
        })
    }

    fn number(&mut self, place: u64, id: Option<&str>) -> u64 {
        let found = self.find(place, id).unwrap_or_else(|| {
            self.0.push(Call { place, ..Call::default() });
            self.0.len() - 1
        });
        found as u64
    }
}

impl Call {
    fn new_id(&mut self, told: Option<String>) -> Option<String> {
        let new = told.filter(|told| self.id.is_none() && !told.is_empty());
        self.id = self.id.take().or_else(|| new.clone());
        new
    }

    fn new_name(&mut self, told: Option<String>) -> Option<String> {
        let new = told.filter(|told| self.name.is_none() && !told.is_empty());
        self.name = self.name.take().or_else(|| new.clone());
        new
    }
}

fn say(piece: ToolCallPiece, out: &mut Vec<Delta>) {
    push(out, TokenKind::ToolCall, piece.to_text().as_deref());
}
