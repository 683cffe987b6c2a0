use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use wordhoard_model::{AttemptSeq, RequestId, Seq, TokenIndex};

/// One thing that is wrong with what SQL holds of a request.
///
/// Serializes as a flat object: `request_id`, `attempt_seq`, `fault` (a stable name), `from`, `through`, `detail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of which request.
    pub request_id: RequestId,
    /// Of which of its attempts, where it concerns one.
    pub attempt_seq: Option<AttemptSeq>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Tokens of an attempt have no row.
    TokensMissing {
        /// The first of them.
        from: TokenIndex,
        /// The last of them.
        through: TokenIndex,
    },
    /// Two rows have tokens of an attempt.
    TokensDoubled {
        /// The first of them.
        from: TokenIndex,
        /// The last of them.
        through: TokenIndex,
    },
    /// The row of these tokens contradicts itself, so that nobody can read them.
    RunUnsound {
        /// The first of them.
        from: TokenIndex,
        /// The last of them.
        through: TokenIndex,
    },
    /// No row tells these events. Said only where it is more than the tokens that are missing anyway.
    EventsMissing {
        /// The first of them.
        from: Seq,
        /// The last of them.
        through: Seq,
    },
    /// Two rows claim to be the same event.
    EventDoubled {
        /// Its place.
        seq: Seq,
    },
    /// A token's place among the events contradicts its place within the attempt.
    OutOfOrder {
        /// Which token.
        token_index: TokenIndex,
        /// The place among the events that its row names.
        seq: Seq,
    },
    /// The row of the attempt is gone.
    AttemptMissing,
    /// The row of the request is gone, but not all that belongs to it.
    RequestMissing,
    /// The request has ended, but by its row the attempt has not.
    AttemptOpen,
    /// Some columns of a row say that it has ended, others that it has not.
    EndInPart,
    /// A recorded count is not what is there.
    CountDiffers {
        /// The column.
        column: &'static str,
        /// What it says.
        recorded: u64,
        /// What is there.
        found: u64,
    },
}

impl Fault {
    /// The stable name of this kind of fault.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TokensMissing { .. } => "tokens_missing",
            Self::TokensDoubled { .. } => "tokens_doubled",
            Self::RunUnsound { .. } => "run_unsound",
            Self::EventsMissing { .. } => "events_missing",
            Self::EventDoubled { .. } => "event_doubled",
            Self::OutOfOrder { .. } => "out_of_order",
            Self::AttemptMissing => "attempt_missing",
            Self::RequestMissing => "request_missing",
            Self::AttemptOpen => "attempt_open",
            Self::EndInPart => "end_in_part",
            Self::CountDiffers { .. } => "count_differs",
        }
    }

    /// The first and the last token or event that it concerns.
    fn range(&self) -> Option<(u64, u64)> {
        match self {
            Self::TokensMissing { from, through }
            | Self::TokensDoubled { from, through }
            | Self::RunUnsound { from, through } => Some((from.0, through.0)),
            Self::EventsMissing { from, through } => Some((from.0, through.0)),
            Self::EventDoubled { seq } => Some((seq.0, seq.0)),
            Self::OutOfOrder { token_index, .. } => Some((token_index.0, token_index.0)),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokensMissing { from, through } => missing(f, "token", from.0, through.0),
            Self::TokensDoubled { from, through } => {
                write!(f, "tokens {from} to {through} are there twice")
            }
            Self::RunUnsound { from, through } => {
                write!(f, "the row of tokens {from} to {through} contradicts itself")
            }
            Self::EventsMissing { from, through } => missing(f, "event", from.0, through.0),
            Self::EventDoubled { seq } => write!(f, "event {seq} is there twice"),
            Self::OutOfOrder { token_index, seq } => {
                write!(f, "token {token_index} is event {seq} by its row, which is out of order")
            }
            Self::AttemptMissing => write!(f, "its row is missing"),
            Self::RequestMissing => write!(f, "its row is missing, other rows of it are there"),
            Self::AttemptOpen => write!(f, "has no end, though the request has ended"),
            Self::EndInPart => write!(f, "its end is recorded only in part"),
            Self::CountDiffers { column, recorded, found } => {
                write!(f, "{column} says {recorded}, but it is {found}")
            }
        }
    }
}

fn missing(f: &mut fmt::Formatter<'_>, what: &str, from: u64, through: u64) -> fmt::Result {
    if from == through {
        return write!(f, "{what} {from} is missing");
    }
    write!(f, "{what}s {from} to {through} are missing")
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}: ", self.request_id)?;
        if let Some(attempt) = self.attempt_seq {
            write!(f, "attempt {attempt}: ")?;
        }
        self.fault.fmt(f)
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Finding", 6)?;
        object.serialize_field("request_id", &self.request_id.to_string())?;
        object.serialize_field("attempt_seq", &self.attempt_seq.map(|attempt| attempt.0))?;
        object.serialize_field("fault", self.fault.name())?;
        object.serialize_field("from", &self.fault.range().map(|(from, _)| from))?;
        object.serialize_field("through", &self.fault.range().map(|(_, through)| through))?;
        object.serialize_field("detail", &self.fault.to_string())?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(attempt_seq: Option<u32>, fault: Fault) -> Finding {
        let request_id = RequestId::from_bytes([1; 16]);
        Finding { request_id, attempt_seq: attempt_seq.map(AttemptSeq), fault }
    }

    #[test]
    fn a_finding_is_a_sentence_and_a_flat_object() {
        let tokens = finding(Some(2), Fault::TokensMissing { from: TokenIndex(17), through: TokenIndex(20) });
        let id = "01010101-0101-0101-0101-010101010101";
        assert_eq!(tokens.to_string(), format!("request {id}: attempt 2: tokens 17 to 20 are missing"));
        let object = format!(
            r#"{{"request_id":"{id}","attempt_seq":2,"fault":"tokens_missing","from":17,"through":20,"detail":"tokens 17 to 20 are missing"}}"#
        );
        assert_eq!(serde_json::to_string(&tokens).unwrap(), object);

        let count = finding(None, Fault::CountDiffers { column: "event_count", recorded: 7, found: 9 });
        assert_eq!(count.to_string(), format!("request {id}: event_count says 7, but it is 9"));
        let object = format!(
            r#"{{"request_id":"{id}","attempt_seq":null,"fault":"count_differs","from":null,"through":null,"detail":"event_count says 7, but it is 9"}}"#
        );
        assert_eq!(serde_json::to_string(&count).unwrap(), object);
    }
}
