//! Frames and the other records of the log: how they are encoded, and read back. The formats are written down in
//! `docs/decisions/0026-frames-and-runs.md`.
//!
//! A record begins with the 16 bytes of its request's id, so a scan for one request need not read the others, and a damaged
//! record takes no other with it. The log gives a record its kind, its version and its checksum.

mod attempt_finished;
mod attempt_started;
mod bytes;
mod error;
mod events;
mod frame;
mod kind;
mod parts;
mod place;
mod request_created;
mod request_finished;
mod usage;

pub use attempt_finished::{decode_attempt_finished, encode_attempt_finished};
pub use attempt_started::{decode_attempt_started, encode_attempt_started};
pub use error::Error;
pub use events::{Coder, MAX_BASE_BYTES, Next, ProviderEvent, Reader};
pub use frame::{Frame, FrameHead, Piece, encode as encode_frame};
pub use kind::{Kind, VERSION};
pub use parts::{Joined, Joiner, Lost, PART_BYTES, Split, split};
pub use place::Place;
pub use request_created::{decode_request_created, encode_request_created};
pub use request_finished::{decode_request_finished, encode_request_finished};
