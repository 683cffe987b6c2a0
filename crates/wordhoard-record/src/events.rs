//! A provider's events, each by its difference from the one before it in the attempt. The code knows no JSON: what it gives
//! back is what was put in, byte for byte.
//!
//! ```text
//! events  = number of events, event…
//! event   = head, [number of places], [name], number of its tokens, place…
//! place   = bytes kept from the base · bytes passed over in it · what stands instead
//! instead = 2 × length, bytes | 2 × k + 1: the text of its token k
//! ```

mod coder;
mod places;
mod reader;

pub use coder::Coder;
pub use reader::{Next, ProviderEvent, Reader};

/// A longer event is written whole, and none is told by its difference from it.
pub const MAX_BASE_BYTES: usize = 1 << 20;

/// In the head: the number of places, or that it follows.
const PLACES_BITS: u8 = 0b1_1111;
/// In the head: its name is another than that of the event before.
const OTHER_NAME: u8 = 1 << 5;
/// In the head: it has no base.
const NO_BASE: u8 = 1 << 6;
/// In the head: it is no base for the next.
const IS_NO_BASE: u8 = 1 << 7;
