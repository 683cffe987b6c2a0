use wordhoard_model::{Lane, Outcome};

use super::{Run, attempt};
use crate::hub::AppendError;

/// How a lane came to its end in this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneEnd {
    /// Its last attempt ended for good.
    Ended,
    /// The server stopped under it; another one can go on.
    Stopped,
}

/// Runs a lane with the model that was asked for. A later attempt, by retry or fallback, would follow here.
pub(super) async fn run(run: &Run, lane: Lane) -> Result<LaneEnd, AppendError> {
    let Some(spec) = run.live.created().lanes.get(usize::from(lane.0)) else {
        return Ok(LaneEnd::Ended);
    };
    let outcome = attempt::run(run, lane, &spec.model).await?;
    Ok(if outcome == Outcome::Interrupted { LaneEnd::Stopped } else { LaneEnd::Ended })
}
