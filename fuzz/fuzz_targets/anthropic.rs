//! See `wordhoard_fuzz::check`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wordhoard_wire::Dialect;

fuzz_target!(|input: (u8, &[u8])| wordhoard_fuzz::check(Dialect::Anthropic, input.0, input.1));
