/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Made by a newer server.
    #[error("kind {kind}, version {version} is not known to this server")]
    Unknown {
        /// The kind of the record.
        kind: u8,
        /// The version of its payload.
        version: u8,
    },
    /// The payload does not decode.
    #[error("a record cannot be read: {0}")]
    Malformed(String),
}

impl Error {
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(what.into())
    }
}
