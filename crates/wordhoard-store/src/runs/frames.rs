//! The providers' events of a run: those of each of its frames, with the token that they are recorded with. A reader may take one part of an
//! answer from here and the next from the log or from memory, so each frame's have to come with the very token that they come with there.
//!
//! For each frame with events: its token's place in the run, the length, both in LEB128, and the bytes.

use crate::columns::ColumnError;

/// Appends the events of a frame.
pub(super) fn put(out: &mut Vec<u8>, place: usize, coded: &[u8]) {
    put_number(out, place as u64);
    put_number(out, coded.len() as u64);
    out.extend_from_slice(coded);
}

/// The events of each frame, by the place of their token; ascending.
pub(super) fn read(mut bytes: &[u8], token_count: usize) -> Result<Vec<(usize, &[u8])>, ColumnError> {
    let mut frames: Vec<(usize, &[u8])> = Vec::new();
    while !bytes.is_empty() {
        let (place, length) = (take_number(&mut bytes)?, take_number(&mut bytes)?);
        let (coded, rest) = bytes.split_at_checked(length).ok_or("the events of a run end too early")?;
        if place >= token_count || frames.last().is_some_and(|(last, _)| *last >= place) {
            return Err("the events of a run belong to none of its tokens".into());
        }
        frames.push((place, coded));
        bytes = rest;
    }
    Ok(frames)
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Result<usize, ColumnError> {
    let mut number = 0_u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or("the events of a run end too early")?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(usize::try_from(number)?);
        }
    }
    Err("a number in the events of a run is too large".into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_events_of_each_frame_come_back(
            frames in prop::collection::btree_map(0..2_000_usize, prop::collection::vec(any::<u8>(), 0..300), 0..9),
        ) {
            let mut bytes = Vec::new();
            frames.iter().for_each(|(place, coded)| put(&mut bytes, *place, coded));
            let read = read(&bytes, 2_000).unwrap();
            prop_assert!(read.into_iter().eq(frames.iter().map(|(place, coded)| (*place, coded.as_slice()))));
        }

        #[test]
        fn other_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            drop(read(&bytes, 7));
        }
    }
}
