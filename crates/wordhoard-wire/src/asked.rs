use serde_json::{Map, Value};

use crate::compaction;
use crate::tool_shape::ToolShapes;

/// What the encoder of an answer has to know of its request.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Fields of the request that a response of the responses dialect repeats.
    pub(crate) repeated: Map<String, Value>,
    /// What the tools are to the client.
    pub(crate) tools: ToolShapes,
    /// Whether the answer is a summary for the client to keep.
    pub(crate) is_summary: bool,
}

impl Asked {
    /// Of a request as its client sent it. A response repeats these fields of it.
    pub fn of(request: &Map<String, Value>, repeated: Map<String, Value>) -> Self {
        Self {
            tools: ToolShapes::of(request.get("tools"), request.get("input")),
            is_summary: compaction::is_asked_for(request.get("input")),
            repeated,
        }
    }
}
