use crate::Error;

/// The version in which every payload is written.
pub const VERSION: u8 = 1;

/// What a record is.
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

const KINDS: [(u8, Kind); 7] = [
    (0, Kind::Filler),
    (1, Kind::Part),
    (2, Kind::RequestCreated),
    (3, Kind::AttemptStarted),
    (4, Kind::Frame),
    (5, Kind::AttemptFinished),
    (6, Kind::RequestFinished),
];

impl Kind {
    /// Its number in the log.
    pub fn number(self) -> u8 {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or(0, |(number, _)| *number)
    }

    /// The kind of that number.
    ///
    /// # Errors
    /// `Unknown` for a number or a version that this server does not write.
    pub fn of(kind: u8, version: u8) -> Result<Self, Error> {
        let known = KINDS.iter().find(|(number, _)| *number == kind).filter(|_| version == VERSION);
        known.map(|(_, kind)| *kind).ok_or(Error::Unknown { kind, version })
    }
}
