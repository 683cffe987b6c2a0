use serde::{Deserialize, Serialize};
use wordhoard_model::{AttemptSeq, AttemptStarted, Continues, Lane, TokenIndex};

#[derive(Serialize, Deserialize)]
pub(super) struct AttemptStartedV1 {
    attempt_seq: u32,
    lane: u8,
    /// `provider:model`.
    model: String,
    /// Attempt and token index.
    continues: Option<(u32, u64)>,
}

impl AttemptStartedV1 {
    pub(super) fn from_model(started: &AttemptStarted) -> Self {
        Self {
            attempt_seq: started.attempt_seq.0,
            lane: started.lane.0,
            model: started.model.to_string(),
            continues: started.continues.map(|continues| (continues.attempt_seq.0, continues.token_index.0)),
        }
    }

    pub(super) fn into_model(self) -> Result<AttemptStarted, String> {
        let continues = self.continues.map(|(attempt, token)| Continues {
            attempt_seq: AttemptSeq(attempt),
            token_index: TokenIndex(token),
        });
        Ok(AttemptStarted {
            attempt_seq: AttemptSeq(self.attempt_seq),
            lane: Lane(self.lane),
            model: self.model.parse().map_err(|error| format!("{error}"))?,
            continues,
        })
    }
}
