//! Instructions of an application, for dialects that have no field or place for them.

use wordhoard_model::Part;

/// Asks for JSON where the dialect has no field for it (SPEC FD 12, emulated).
pub(crate) const JSON_INSTRUCTION: &str =
    "Answer with one JSON object and nothing else, without a code fence.";

/// An instruction between the turns, as a text of the user's side.
pub(crate) fn instruction_between(parts: &[Part]) -> String {
    format!("<system>\n{}\n</system>", Part::text_of(parts))
}
