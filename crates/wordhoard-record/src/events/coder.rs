use super::places::{self, Place};
use super::{IS_NO_BASE, MAX_BASE_BYTES, NO_BASE, OTHER_NAME, PLACES_BITS};
use crate::bytes::{put_bytes, put_number};

/// Codes the events of one attempt, in their order.
#[derive(Debug, Default)]
pub struct Coder {
    name: String,
    base: Vec<u8>,
    places: Vec<Place>,
    /// Those since the last [`Coder::take`].
    coded: Vec<u8>,
    count: u64,
}

impl Coder {
    /// Codes an event: its name, empty where it has none; its data; and the texts of the tokens that came out of it.
    pub fn code(&mut self, name: &str, data: &str, texts: &[&str]) {
        let data = data.as_bytes();
        let is_base = data.len() <= MAX_BASE_BYTES;
        let has_base = is_base && !self.base.is_empty();
        let places = match has_base {
            true => places::of(&self.base, data, &self.places, texts),
            false => vec![Place { old: (0, 0), new: (0, data.len()) }],
        };
        let few = u8::try_from(places.len()).ok().filter(|count| *count < PLACES_BITS);
        let mut head = few.unwrap_or(PLACES_BITS);
        for (flag, is_set) in [(OTHER_NAME, name != self.name), (NO_BASE, !has_base), (IS_NO_BASE, !is_base)]
        {
            if is_set {
                head |= flag;
            }
        }
        let out = &mut self.coded;
        out.push(head);
        if few.is_none() {
            put_number(out, places.len() as u64);
        }
        if name != self.name {
            put_bytes(out, name.as_bytes());
            name.clone_into(&mut self.name);
        }
        put_number(out, texts.len() as u64);
        let mut at = 0;
        for place in &places {
            put_number(out, (place.old.0 - at) as u64);
            put_number(out, (place.old.1 - place.old.0) as u64);
            at = place.old.1;
            let instead = &data[place.new.0..place.new.1];
            match texts.iter().position(|text| text.as_bytes() == instead && !text.is_empty()) {
                Some(token) => put_number(out, (token as u64) << 1 | 1),
                None => {
                    put_number(out, (instead.len() as u64) << 1);
                    out.extend_from_slice(instead);
                }
            }
        }
        self.count += 1;
        self.base.clear();
        if is_base {
            self.base.extend_from_slice(data);
        }
        self.places = if has_base { places } else { Vec::new() };
    }

    /// How many bytes the events since the last [`Coder::take`] have.
    pub fn coded_bytes(&self) -> usize {
        self.coded.len()
    }

    /// The events since the last time, appended to `out` as one frame or an attempt's end has them; nothing where there are none.
    pub fn take(&mut self, out: &mut Vec<u8>) {
        if self.count > 0 {
            put_number(out, self.count);
            out.append(&mut self.coded);
            self.count = 0;
        }
    }
}
