use super::{IS_NO_BASE, NO_BASE, OTHER_NAME, PLACES_BITS};
use crate::Error;
use crate::bytes::Bytes;

/// Reads the events of one attempt, in their order, from the first on.
///
/// What frames hold is pushed as it comes; an event is there once all tokens are that came out of it.
#[derive(Debug, Default)]
pub struct Reader {
    name: String,
    base: Vec<u8>,
    is_base: bool,
    spare: Vec<u8>,
    coded: Vec<u8>,
    /// What of it was read.
    at: usize,
    /// Events left of the frame that is being read.
    left: u64,
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

/// What there is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// The next event.
    Event(ProviderEvent<'a>),
    /// The next event, once there are so many tokens that came out of it.
    Waiting(u64),
    /// No more than was pushed.
    Nothing,
}

impl Reader {
    /// Takes in what a frame, or an attempt's end, has of events, or several one behind the other.
    pub fn push(&mut self, coded: &[u8]) {
        if self.at == self.coded.len() {
            self.coded.clear();
            self.at = 0;
        }
        self.coded.extend_from_slice(coded);
    }

    /// Reads the next event. `texts` are the texts of the tokens behind those of the event before, as far as they are there.
    ///
    /// # Errors
    /// `Malformed` where it cannot be read; nothing more can be read of the attempt then.
    pub fn next(&mut self, texts: &[&str]) -> Result<Next<'_>, Error> {
        let coded = std::mem::take(&mut self.coded);
        let found = self.next_of(&coded, texts);
        self.coded = coded;
        let Some(token_count) = found? else { return Ok(Next::Nothing) };
        let token_count = match token_count {
            Ok(read) => read,
            Err(wanted) => return Ok(Next::Waiting(wanted)),
        };
        let data = str::from_utf8(&self.base).map_err(|_| Error::malformed("an event is not UTF-8"))?;
        Ok(Next::Event(ProviderEvent { name: &self.name, data, token_count }))
    }

    /// Reads all events of a frame, or of an attempt's end, and hands each to `emit`. `texts` are the texts of the frame's
    /// tokens.
    ///
    /// # Errors
    /// `Malformed` where they cannot be read, or have more tokens.
    pub fn read<'t>(
        &mut self,
        coded: &[u8],
        texts: impl Iterator<Item = &'t str>,
        mut emit: impl FnMut(ProviderEvent<'_>),
    ) -> Result<(), Error> {
        self.push(coded);
        let (texts, mut at) = (texts.collect::<Vec<_>>(), 0);
        loop {
            match self.next(texts.get(at..).unwrap_or_default())? {
                Next::Event(event) => {
                    at += usize::try_from(event.token_count).unwrap_or(usize::MAX);
                    emit(event);
                }
                Next::Waiting(_) => return Err(Error::malformed("events have more tokens than their frame")),
                Next::Nothing => return Ok(()),
            }
        }
    }

    /// How many tokens the next event has: `Ok` where it was read into the base, `Err` where they are not all there.
    fn next_of(&mut self, coded: &[u8], texts: &[&str]) -> Result<Option<Result<u64, u64>>, Error> {
        let mut bytes = Bytes(coded.get(self.at..).unwrap_or_default());
        let mut left = self.left;
        while left == 0 {
            if bytes.is_empty() {
                return Ok(None);
            }
            left = bytes.number()?;
        }
        let read = self.event(&mut bytes, texts)?;
        if read.is_ok() {
            self.left = left - 1;
            self.at = coded.len() - bytes.0.len();
        }
        Ok(Some(read))
    }

    fn event(&mut self, bytes: &mut Bytes<'_>, texts: &[&str]) -> Result<Result<u64, u64>, Error> {
        let head = bytes.byte()?;
        let places = match head & PLACES_BITS {
            PLACES_BITS => bytes.number()?,
            few => few.into(),
        };
        let name = match head & OTHER_NAME {
            0 => None,
            _ => {
                let length = bytes.length()?;
                Some(bytes.text(length)?)
            }
        };
        let token_count = bytes.number()?;
        let own = usize::try_from(token_count).ok().and_then(|count| texts.get(..count));
        let Some(own) = own else { return Ok(Err(token_count)) };
        if let Some(name) = name {
            name.clone_into(&mut self.name);
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
        Ok(Ok(token_count))
    }
}
