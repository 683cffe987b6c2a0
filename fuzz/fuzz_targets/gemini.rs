//! See `any_bytes::check`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wordhoard_wire::{Dialect, any_bytes};

fuzz_target!(|bytes: &[u8]| any_bytes::check(Dialect::Gemini, bytes));
