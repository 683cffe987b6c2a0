use crate::ModelRef;

/// How many models one prompt may ask for (SPEC FD 1).
pub const MAX_LANES: usize = 5;

/// One model that was asked for; it becomes one lane of the request.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneSpec {
    /// The model that was asked for. The one that really answers stands in the attempt.
    pub model: ModelRef,
    /// The caller's weight for this model, above 0 and at most 1, where it gave one.
    pub weight: Option<f64>,
}
