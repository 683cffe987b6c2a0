//! Server-Sent Events, as <https://html.spec.whatwg.org/multipage/server-sent-events.html> has them: a parser for
//! what providers send, a writer for what clients get.

mod parser;
mod writer;

pub use parser::{Error, Event, Parser};
pub use writer::{write_comment, write_event, write_keep_alive};
