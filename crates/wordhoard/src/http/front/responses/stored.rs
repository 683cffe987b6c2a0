//! A response as it was recorded.

use axum::response::Response;
use serde_json::{Map, Value};
use wordhoard_model::{ModelRef, Outcome, Prompt, RequestId, RequestStatus, Transcript};
use wordhoard_providers::{Recorded, body_of, client_dialect_of, conversation_of};
use wordhoard_wire::{Asked, openai_responses};

use super::{DIALECT, repeated};
use crate::http::Surface;
use crate::http::front::answer::{self, Telling};
use crate::http::problem::Problem;

/// A request with one lane; those with more are no responses.
pub(super) struct Stored {
    id: RequestId,
    transcript: Transcript,
}

impl Stored {
    pub(super) async fn find(surface: &Surface, id: RequestId) -> Result<Self, Problem> {
        let found = surface.engine.transcript(id).await?;
        let found = found.filter(|found| found.created.lanes.len() == 1);
        Ok(Self { id, transcript: found.ok_or_else(Problem::no_such_request)? })
    }

    pub(super) fn status(&self) -> RequestStatus {
        self.transcript.state.status()
    }

    pub(super) fn prompt(&self) -> &Prompt {
        &self.transcript.created.prompt
    }

    /// The request as it came, where it came in this dialect.
    pub(super) fn body(&self) -> Option<&Map<String, Value>> {
        body_of(self.prompt()).filter(|_| client_dialect_of(self.prompt()) == Some(DIALECT))
    }

    /// The items that were asked; of a request in another dialect, as far as this one has a place for them.
    pub(super) fn items(&self) -> Result<Vec<Value>, Problem> {
        match self.body() {
            Some(body) => Ok(super::previous::items(body.get("input").cloned())),
            None => Ok(openai_responses::items_of(&conversation_of(self.prompt())?)?),
        }
    }

    fn model(&self) -> Result<ModelRef, Problem> {
        let lane = self.transcript.created.lanes.first();
        Ok(lane.ok_or_else(Problem::no_such_request)?.model.clone())
    }

    /// How its answer is given, after so many events that its reader has already.
    pub(super) fn telling(&self, known_events: u64) -> Result<Telling, Problem> {
        let (repeated, empty) = (self.repeated()?, Map::new());
        Ok(Telling {
            folds_the_past: false,
            shown_items: Vec::new(),
            dialect: DIALECT,
            models: vec![self.model()?],
            include_usage: true,
            asked: Asked::of(self.body().unwrap_or(&empty), repeated),
            known_events,
        })
    }

    /// The fields that it repeats of its request, and what the server carries out itself.
    fn repeated(&self) -> Result<Map<String, Value>, Problem> {
        let mut fields = match self.body() {
            Some(body) => repeated(body),
            None => openai_responses::fields_of(&conversation_of(self.prompt())?)?,
        };
        let recorded = Recorded::of(self.prompt()).unwrap_or_default();
        fields.extend(recorded.background.map(|background| ("background".to_owned(), background.into())));
        let previous = recorded.previous_response_id;
        fields.extend(previous.map(|previous| ("previous_response_id".to_owned(), previous.into())));
        Ok(fields)
    }

    /// The response as far as it is.
    pub(super) async fn state(&self, surface: &Surface) -> Result<Response, Problem> {
        let created_at = self.transcript.state.created_at();
        let head = answer::head_of(self.id, DIALECT, created_at, self.model()?.to_string());
        let telling = self.telling(0)?;
        let asked = telling.asked.clone();
        let state = match self.status() {
            RequestStatus::Running => openai_responses::encode_state(head, asked, "in_progress", None),
            RequestStatus::Finished(Outcome::Cancelled) => {
                openai_responses::encode_state(head, asked, "cancelled", None)
            }
            RequestStatus::Finished(_) => match answer::gather(surface, self.id, telling).await? {
                Ok(body) => return Ok(self.document(body)),
                Err(failure) => openai_responses::encode_state(head, asked, "failed", Some(&failure)),
            },
        };
        Ok(self.document(state.to_string().into_bytes()))
    }

    fn document(&self, body: Vec<u8>) -> Response {
        let mut response = answer::document(body);
        answer::add_ids(&mut response, self.id);
        response
    }
}
