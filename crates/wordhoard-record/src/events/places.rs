//! Where an event differs from the one before.

use memchr::memmem;

/// A run of bytes in the base, and the run that stands in its place. Places are in order and do not touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) old: (usize, usize),
    pub(super) new: (usize, usize),
}

/// The shortest run of equal bytes that divides a place in two.
const DIVIDER_BYTES: usize = 12;
/// A place that is longer on either side is not divided: that is a search.
const MAX_DIVIDED_BYTES: usize = 4 << 10;
/// The most places that are looked for.
const MAX_PLACES: usize = 8;

/// The places of an event, as they were in the event before (`known`), or found anew. `texts` are those of its tokens: a place that
/// has part of one is widened to the whole, so that the next event may have the same places.
pub(super) fn of(base: &[u8], event: &[u8], known: &[Place], texts: &[&str]) -> Vec<Place> {
    if let Some(places) = as_before(base, event, known) {
        return places;
    }
    let mut places = Vec::new();
    divide(base, event, (0, base.len()), (0, event.len()), &mut places);
    for text in texts {
        widen(event, &mut places, text.as_bytes());
    }
    places
}

/// The event before had these runs of its own (`new`), which are the base's now; all between them has to be the same.
fn as_before(base: &[u8], event: &[u8], known: &[Place]) -> Option<Vec<Place>> {
    let first = known.first()?;
    let mut places = Vec::with_capacity(known.len());
    if !event.starts_with(&base[..first.new.0]) {
        return None;
    }
    let mut at = first.new.0;
    for (index, place) in known.iter().enumerate() {
        let between = match known.get(index + 1) {
            Some(next) => &base[place.new.1..next.new.0],
            None => &base[place.new.1..],
        };
        let length = if index + 1 == known.len() {
            event[at..].len().checked_sub(between.len()).filter(|length| event[at + length..] == *between)?
        } else {
            memmem::find(&event[at..], between)?
        };
        places.push(Place { old: place.new, new: (at, at + length) });
        at += length + between.len();
    }
    Some(places)
}

/// What is the same at both ends is none; a long run in the midst that is the same divides the rest.
fn divide(base: &[u8], event: &[u8], mut old: (usize, usize), mut new: (usize, usize), out: &mut Vec<Place>) {
    let front = base[old.0..old.1].iter().zip(&event[new.0..new.1]).take_while(|(a, b)| a == b).count();
    (old.0, new.0) = (old.0 + front, new.0 + front);
    let behind = base[old.0..old.1].iter().rev().zip(event[new.0..new.1].iter().rev());
    let behind = behind.take_while(|(a, b)| a == b).count();
    (old.1, new.1) = (old.1 - behind, new.1 - behind);
    if old.0 == old.1 && new.0 == new.1 {
        return;
    }
    match divider(&base[old.0..old.1], &event[new.0..new.1]) {
        Some((in_old, in_new, length)) if out.len() + 1 < MAX_PLACES => {
            divide(base, event, (old.0, old.0 + in_old), (new.0, new.0 + in_new), out);
            divide(base, event, (old.0 + in_old + length, old.1), (new.0 + in_new + length, new.1), out);
        }
        _ => out.push(Place { old, new }),
    }
}

/// The first run of the new bytes that stands in the old ones, too: where in each, and how long it is.
fn divider(old: &[u8], new: &[u8]) -> Option<(usize, usize, usize)> {
    if old.len().max(new.len()) > MAX_DIVIDED_BYTES {
        return None;
    }
    new.windows(DIVIDER_BYTES).enumerate().step_by(DIVIDER_BYTES / 2).find_map(|(in_new, window)| {
        let in_old = memmem::find(old, window)?;
        let (before_old, before_new) = (old[..in_old].iter().rev(), new[..in_new].iter().rev());
        let before = before_old.zip(before_new).take_while(|(a, b)| a == b).count();
        let (start_old, start_new) = (in_old - before, in_new - before);
        let same = old[start_old..].iter().zip(&new[start_new..]).take_while(|(a, b)| a == b).count();
        Some((start_old, start_new, same))
    })
}

/// Widens a place that lies in an occurrence of the text to all of it. What is added is the same on both sides.
fn widen(event: &[u8], places: &mut [Place], text: &[u8]) {
    for index in 0..places.len() {
        let Place { old, new } = places[index];
        if text.is_empty() || new.1 - new.0 > text.len() {
            continue;
        }
        let from = new.1.saturating_sub(text.len());
        let until = (new.0 + text.len()).min(event.len());
        let Some(found) = memmem::find(&event[from..until], text) else { continue };
        let (start, end) = (from + found, from + found + text.len());
        let (left, right) = (new.0 - start, end - new.1);
        let room_before = match index.checked_sub(1) {
            Some(before) => new.0 - places[before].new.1,
            None => new.0,
        };
        let room_behind = match places.get(index + 1) {
            Some(next) => next.new.0 - new.1,
            None => event.len() - new.1,
        };
        if left < room_before.max(1) && right < room_behind.max(1) {
            places[index] = Place { old: (old.0 - left, old.1 + right), new: (start, end) };
        }
    }
}
