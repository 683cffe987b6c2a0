//! Which call of a tool a fragment belongs to, where providers number and name their calls carelessly.

use crate::ToolCallPiece;
use crate::json_depth::JsonDepth;

/// The calls of an answer, as their fragments come. A call is known by its number and by its id: servers exist that give all
/// calls the number 0, that leave out the number, the id or both, that tell a name or an id late, and that repeat them with
/// each fragment.
#[derive(Debug, Default)]
pub(crate) struct CallFragments {
    calls: Vec<Call>,
}

#[derive(Debug, Default)]
struct Call {
    /// The number that the provider has for it.
    number: Option<u64>,
    id: Option<String>,
    has_name: bool,
    arguments: JsonDepth,
}

impl CallFragments {
    /// How many calls there are.
    pub(crate) fn count(&self) -> u64 {
        self.calls.len() as u64
    }

    /// Takes a fragment in, with the provider's number for its call, and gives what is new of it under our number: calls
    /// are counted from 0 in the order in which they begin.
    pub(crate) fn take(&mut self, number: Option<u64>, fragment: ToolCallPiece) -> ToolCallPiece {
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (id, name, arguments) = (said(fragment.id), said(fragment.name), said(fragment.arguments));
        let place = self.place_of(number, id.as_deref(), name.is_some(), arguments.is_some());
        let call = &mut self.calls[place];
        let new_id = id.filter(|_| call.id.is_none());
        if new_id.is_some() {
            call.id.clone_from(&new_id);
        }
        let new_name = name.filter(|_| !call.has_name);
        call.has_name |= new_name.is_some();
        call.arguments.push(arguments.as_deref().unwrap_or_default());
        ToolCallPiece { index: place as u64, id: new_id, name: new_name, arguments }
    }

    fn place_of(
        &mut self,
        number: Option<u64>,
        id: Option<&str>,
        has_name: bool,
        has_arguments: bool,
    ) -> usize {
        let has_id = |call: &Call| id.is_some() && call.id.as_deref() == id;
        let has_number = |call: &Call| number.is_none() || call.number.is_none() || call.number == number;
        let known = self.calls.iter().position(|call| has_id(call) && has_number(call));
        let of_number = || self.calls.iter().rposition(|call| call.number == number);
        let found = known.or_else(|| {
            of_number().filter(|place| !self.calls[*place].is_followed_by(id, has_name, has_arguments))
        });
        found.unwrap_or_else(|| {
            self.calls.push(Call { number, ..Call::default() });
            self.calls.len() - 1
        })
    }
}

impl Call {
    /// Whether a fragment of the same number belongs to another call: it has another id, or it has a name where this call
    /// is complete.
    fn is_followed_by(&self, id: Option<&str>, has_name: bool, has_arguments: bool) -> bool {
        let has_another_id = id.is_some() && self.id.is_some() && id != self.id.as_deref();
        let is_complete = self.arguments.is_complete();
        // Servers exist that give each fragment an id of its own: without a name, it goes on with what is not complete.
        let is_other = has_another_id && (has_name || is_complete);
        let begins_anew = has_name && self.has_name && has_arguments && is_complete;
        // An id that comes late belongs to the call that has none; one that comes with a name to a new one.
        let is_whole = id.is_some() && self.id.is_none() && has_name && self.has_name;
        is_other || begins_anew || is_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fragments as `(number, id, name, arguments)`, and what comes out of each under which number.
    fn taken(fragments: &[(Option<u64>, &str, &str, &str)]) -> Vec<(u64, String)> {
        let mut calls = CallFragments::default();
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut take = |(number, id, name, arguments): &(Option<u64>, &str, &str, &str)| {
            let fragment =
                ToolCallPiece { index: 0, id: text(id), name: text(name), arguments: text(arguments) };
            let new = calls.take(*number, fragment);
            let said = [new.id, new.name, new.arguments].map(Option::unwrap_or_default);
            (new.index, said.join("|"))
        };
        fragments.iter().map(&mut take).collect()
    }

    #[test]
    fn calls_are_told_apart_by_number_and_by_id() {
        let (zero, one) = (Some(0), Some(1));
        let of = |expected: &[(u64, &str)]| -> Vec<(u64, String)> {
            expected.iter().map(|(index, said)| (*index, (*said).to_owned())).collect()
        };
        for (fragments, expected) in [
            (
                &[(zero, "a", "f", "{"), (one, "b", "g", "{"), (zero, "", "", "}"), (one, "", "", "}")][..],
                &[(0, "a|f|{"), (1, "b|g|{"), (0, "||}"), (1, "||}")][..],
            ),
            (&[(zero, "a", "f", "{}"), (zero, "b", "f", "{}")], &[(0, "a|f|{}"), (1, "b|f|{}")]),
            (&[(zero, "a", "f", "{"), (zero, "a", "f", "}")], &[(0, "a|f|{"), (0, "||}")]),
            (&[(zero, "", "f", ""), (zero, "a", "", "{}")], &[(0, "|f|"), (0, "a||{}")]),
            (&[(zero, "a", "", ""), (zero, "", "f", "{}")], &[(0, "a||"), (0, "|f|{}")]),
            (&[(None, "", "f", "{}"), (None, "", "f", "{}")], &[(0, "|f|{}"), (1, "|f|{}")]),
            (&[(zero, "f", "f", "{}"), (one, "f", "f", "{}")], &[(0, "f|f|{}"), (1, "f|f|{}")]),
            (&[(zero, "a", "f", "{"), (zero, "b", "", "}")], &[(0, "a|f|{"), (0, "||}")]),
            (&[(Some(7), "a", "f", "{}"), (Some(9), "b", "f", "{}")], &[(0, "a|f|{}"), (1, "b|f|{}")]),
        ] {
            assert_eq!(taken(fragments), of(expected), "{fragments:?}");
        }
    }
}
