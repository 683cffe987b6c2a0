//! The events of a provider, out of what was recorded with the tokens of an attempt.

use wordhoard_engine::record::{Error, Next, Reader};
use wordhoard_providers::{Delta, ProviderEvent};

/// Gives the events of one attempt back, from its first token on.
#[derive(Debug, Default)]
pub(super) struct ProviderEvents {
    reader: Reader,
    /// Tokens whose event has more.
    waiting: Vec<Delta>,
    /// A token had no event: none is told from there on.
    is_bare: bool,
}

/// What a client is told.
pub(super) enum Told {
    /// An event, and what came out of it.
    Event(ProviderEvent, Vec<Delta>),
    /// A token that is in no event.
    Bare(Delta),
}

impl ProviderEvents {
    /// Takes the next token, with the events that are recorded with it, and hands on what is whole with it.
    pub(super) fn take(
        &mut self,
        coded: Option<&[u8]>,
        delta: Delta,
        mut tell: impl FnMut(Told),
    ) -> Result<(), Error> {
        if self.is_bare {
            tell(Told::Bare(delta));
            return Ok(());
        }
        self.reader.push(coded.unwrap_or_default());
        self.waiting.push(delta);
        loop {
            let next = match self.waiting.as_slice() {
                [delta] => self.reader.next(&[&delta.text])?,
                several => {
                    let texts: Vec<&str> = several.iter().map(|delta| delta.text.as_str()).collect();
                    self.reader.next(&texts)?
                }
            };
            match next {
                Next::Event(event) => {
                    let event = owned(event.name, event.data, event.token_count);
                    let deltas = self.waiting.drain(..event.delta_count).collect();
                    tell(Told::Event(event, deltas));
                }
                Next::Waiting(_) => return Ok(()),
                Next::Nothing => {
                    self.is_bare = !self.waiting.is_empty();
                    self.waiting.drain(..).map(Told::Bare).for_each(tell);
                    return Ok(());
                }
            }
        }
    }

    /// The events behind the last token; none where not all before were told.
    pub(super) fn rest(&mut self, coded: &[u8]) -> Result<Option<Vec<ProviderEvent>>, Error> {
        if self.is_bare || !self.waiting.is_empty() {
            return Ok(None);
        }
        self.reader.push(coded);
        let mut events = Vec::new();
        while let Next::Event(event) = self.reader.next(&[])? {
            events.push(owned(event.name, event.data, event.token_count));
        }
        Ok(Some(events))
    }
}

fn owned(name: &str, data: &str, token_count: u64) -> ProviderEvent {
    ProviderEvent {
        name: (!name.is_empty()).then(|| name.to_owned()),
        data: data.to_owned(),
        delta_count: usize::try_from(token_count).unwrap_or_default(),
    }
}
