use super::{IS_NO_BASE, NO_BASE, OTHER_NAME, PLACES_BITS};
use crate::Error;
use crate::bytes::Bytes;

/// Reads the events of one attempt, in their order, from the first on.
#[derive(Debug, Default)]
pub struct Reader {
    name: String,
    base: Vec<u8>,
    is_base: bool,
    spare: Vec<u8>,
}

/// An event, as the provider sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderEvent<'a> {
    /// Its `event:` field, empty where it had none.
    pub name: &'a str,
    /// Its data.
    pub data: &'a str,
    /// How many tokens came out of it.
    pub token_count: u64,
}

impl Reader {
    /// Reads the coded events of a frame, or of an attempt's end, and hands each to `emit`. `texts` are the texts of the frame's
    /// tokens.
    ///
    /// # Errors
    /// `Malformed` where they cannot be read; nothing more can be read of the attempt then.
    pub fn read<'t>(
        &mut self,
        coded: &[u8],
        mut texts: impl Iterator<Item = &'t str>,
        mut emit: impl FnMut(ProviderEvent<'_>),
    ) -> Result<(), Error> {
        let mut bytes = Bytes(coded);
        for _ in 0..bytes.number()? {
            let token_count = self.event(&mut bytes, &mut texts)?;
            let data = str::from_utf8(&self.base).map_err(|_| Error::malformed("an event is not UTF-8"))?;
            emit(ProviderEvent { name: &self.name, data, token_count });
        }
        if bytes.is_empty() { Ok(()) } else { Err(Error::malformed("bytes follow the last event")) }
    }

    fn event<'t>(
        &mut self,
        bytes: &mut Bytes<'_>,
        texts: &mut impl Iterator<Item = &'t str>,
    ) -> Result<u64, Error> {
        let head = bytes.byte()?;
        let places = match head & PLACES_BITS {
            PLACES_BITS => bytes.number()?,
            few => few.into(),
        };
        if head & OTHER_NAME != 0 {
            let length = bytes.length()?;
            bytes.text(length)?.clone_into(&mut self.name);
        }
        let token_count = bytes.number()?;
        let mut own = Vec::new();
        for _ in 0..token_count {
            own.push(
                texts.next().ok_or_else(|| Error::malformed("events have more tokens than their frame"))?,
            );
        }
        let has_base = head & NO_BASE == 0;
        if has_base && !self.is_base {
            return Err(Error::malformed("an event's base is missing"));
        }
        self.spare.clear();
        let mut base: &[u8] = if has_base { &self.base } else { &[] };
        for _ in 0..places {
            let (kept, passed_over, instead) = (bytes.length()?, bytes.length()?, bytes.number()?);
            let beyond = || Error::malformed("a place is beyond its base");
            let same;
            (same, base) = base.split_at_checked(kept).ok_or_else(beyond)?;
            self.spare.extend_from_slice(same);
            base = base.get(passed_over..).ok_or_else(beyond)?;
            let number = usize::try_from(instead >> 1).map_err(|_| beyond())?;
            if instead & 1 == 1 {
                let text = own.get(number).ok_or_else(|| Error::malformed("a token is missing"))?;
                self.spare.extend_from_slice(text.as_bytes());
            } else {
                self.spare.extend_from_slice(bytes.take(number)?);
            }
        }
        self.spare.extend_from_slice(base);
        self.is_base = head & IS_NO_BASE == 0;
        std::mem::swap(&mut self.base, &mut self.spare);
        Ok(token_count)
    }
}
