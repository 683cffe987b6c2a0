use crate::Error;

/// The version in which every payload is written.
pub const VERSION: u8 = 1;

/// What a record is. Its place here is its number in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it takes a position and ends what parts stood before it.
    Filler,
    /// A piece of the record behind it.
    Part,
    /// A prompt was accepted.
    RequestCreated,
    /// A provider is being called.
    AttemptStarted,
    /// Tokens of an attempt.
    Frame,
    /// The attempt ended.
    AttemptFinished,
    /// All lanes ended.
    RequestFinished,
}

const KINDS: [Kind; 7] = [
    Kind::Filler,
    Kind::Part,
    Kind::RequestCreated,
    Kind::AttemptStarted,
    Kind::Frame,
    Kind::AttemptFinished,
    Kind::RequestFinished,
];

impl Kind {
    /// Its number in the log.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The kind of that number.
    ///
    /// # Errors
    /// `Unknown` for a number or a version that this server does not write.
    pub fn of(kind: u8, version: u8) -> Result<Self, Error> {
        let known = KINDS.get(usize::from(kind)).filter(|_| version == VERSION);
        known.copied().ok_or(Error::Unknown { kind, version })
    }
}
