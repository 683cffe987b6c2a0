//! Finds out what a segment holds, without changing it and without trusting it.

mod segment;
mod survey;
mod window;

pub(crate) use segment::{Hole, SegmentScan, Tail, scan_segment};
pub(crate) use survey::{LostSegment, Survey, SurveyedSegment, survey, survey_from};
pub(crate) use window::{FoundBatch, Window};
