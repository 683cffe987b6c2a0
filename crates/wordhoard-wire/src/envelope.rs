//! Events as their provider sent them, kept beside the pieces of its answer.
//!
//! A client that speaks the provider's dialect shall get every event and every field of it, also those that we know
//! nothing of. So the text of each event is recorded with the first piece that came out of it, as a template: where a
//! recorded piece stands in it, it has a hole. An event that is like the one before it but for the pieces needs nothing
//! recorded, so that a long answer costs a few templates, and not one a token. An event without a piece goes along with the
//! next piece, or with the end.
//!
//! What is recorded is checked as it is made: a template is only made by replacing what filling it will put back.

mod recorder;
mod replayer;
mod runs;
mod template;

pub(crate) use recorder::{Recorder, of_document};
pub(crate) use replayer::{Replayed, Replayer, document};

/// An event of a provider as its client gets it, but for the holes that only who writes it can fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WireEvent {
    /// Its `event:` field.
    pub(crate) name: Option<String>,
    /// Its `data:`.
    pub(crate) data: String,
    /// Whether no piece of the answer came out of it.
    pub(crate) is_without_piece: bool,
}

/// Puts what the server numbers and names by itself into an event: the place in the stream, and the id of the answer.
pub(crate) fn fill_own(data: &str, sequence_number: u64, answer_id: &str) -> String {
    template::fill(data, &|hole| match hole {
        template::Hole::SequenceNumber => Some(sequence_number.to_string()),
        template::Hole::AnswerId => Some(template::quoted(answer_id)),
        _ => None,
    })
}
