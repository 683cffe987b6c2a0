use crate::ModelRef;

/// Who answers in the place of a model that fails, as the caller wants it for one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// Those of the configuration.
    #[default]
    Default,
    /// Nobody.
    Off,
    /// These, in this order.
    Queue(Vec<ModelRef>),
}

/// How many models a caller may name as fallback.
pub const MAX_FALLBACK_MODELS: usize = 10;
