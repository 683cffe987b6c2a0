//! The consistency check: does SQL hold every event that it once held, each once and in its place?
//!
//! SQL gives the numbers of each row, the rest is arithmetic: a backend runs the queries of `statements` on one consistent state,
//! collects the rows as `Evidence`, and lets that be judged. So both backends find the same, by construction.
//!
//! SQL holds a prefix of a request's events, because they are applied in the order of the log. Whatever lies before
//! something that is there must therefore be there too, also while a request runs; what may follow is not missed.

mod evidence;
mod finding;
mod judgement;
mod numbering;
mod scope;
pub(crate) mod statements;
mod tokens;

pub(crate) use evidence::{AttemptRow, Evidence, RequestRow, RunNumbers};
pub use finding::{Fault, Finding};
pub use scope::{CheckScope, CheckSlice};
pub(crate) use scope::{Selection, Span, lowest_id_at};
use wordhoard_model::RequestId;

/// The name under which clean checks are recorded in the table `maintenance`.
pub(crate) const MAINTENANCE_NAME: &str = "consistency";

/// What a slice of the check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What is wrong, newest request first. After about 1,000 findings a slice ends early, and its cursor says where;
    /// of one request at most 1,000 are listed.
    pub findings: Vec<Finding>,
    /// Requests that were looked at.
    pub requests: u64,
    /// Tokens that were found in them.
    pub tokens: u64,
    /// The cursor of the next slice; none at the end.
    pub next: Option<RequestId>,
}
