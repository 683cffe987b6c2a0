use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use wordhoard_engine::{AdmitError, Admitted, EarlierQuestion, NewRequest, ReadError, Standing};
use wordhoard_model::{Conversation, Failure, Fallback, Idempotency, KeyId, LaneSpec, ModelRef, RequestId};
use wordhoard_providers::{
    Call, CallKind, CannotHonour, ClientCredential, Dialect, Forwarded, InvalidRequest, Recorded, Verbatim,
};
use wordhoard_wire::{Asked, ClientRequest, seals};

use super::answer::{self, Telling};
use super::{dropped_fields, forwarding, targets};
use crate::http::asker::Asker;
use crate::http::body::JsonBody;
use crate::http::front::following::Following;
use crate::http::problem::{Problem, ProblemKind, can_fail};
use crate::http::{Surface, body, prompt};

/// What a call can fail with before its request is on disk.
pub(super) type Asking = (JsonBody, ModelRef, (InvalidRequest, CannotHonour), Idempotency, AdmitError);
/// What it can fail with once it is.
pub(super) type Answering = (Following, ReadError, Failure);

can_fail!(InvalidRequest: InvalidField);
can_fail!(CannotHonour: UnsupportedParameter);

/// A request on disk.
pub(super) struct Accepted {
    pub(super) request_id: RequestId,
    /// The models that were asked for, one for each choice.
    pub(super) models: Vec<ModelRef>,
    /// The request as it came.
    pub(super) body: Arc<Map<String, Value>>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    /// How many items of its answer the client has already.
    pub(super) shown_items: usize,
    /// The fields that its providers are not given, or in another form.
    dropped_fields: Vec<String>,
    /// How its key stands with what it may use.
    standing: Standing,
}

/// Who asks, and how.
pub(super) struct Client {
    pub(super) key: Option<KeyId>,
    pub(super) idempotency: Option<Idempotency>,
    /// Its own credential, for a provider that is asked with it.
    pub(super) credential: Option<ClientCredential>,
    /// What is recorded beside the body.
    pub(super) recorded: Recorded,
    /// What it may have asked before, of which it shows a part of the answer.
    pub(super) earlier: Vec<EarlierQuestion>,
}

impl Client {
    /// The one that sent this body, and what was read of it.
    pub(super) fn of(
        Asker { key, credential }: Asker,
        dialect: Dialect,
        uri: &Uri,
        headers: &HeaderMap,
        (bytes, fields): (&[u8], &Map<String, Value>),
    ) -> Result<Self, Problem> {
        let idempotency = prompt::idempotency(headers, bytes)?;
        let recorded = forwarding::recorded_question(dialect, uri, headers, (fields, credential.as_ref()));
        Ok(Self { key, idempotency, credential, recorded, earlier: Vec::new() })
    }
}

/// Reads a request of a dialect, records it, and answers it.
pub(super) async fn answer(
    surface: &Surface,
    asker: Asker,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
    dialect: Dialect,
) -> Result<Response, Problem> {
    let bytes = surface.bodies.read(headers, body).await?;
    let fields = body::json_object(headers, &bytes)?;
    let client = Client::of(asker, dialect, uri, headers, (&bytes, &fields))?;
    let accepted = record(surface, fields, client, dialect).await?;
    let telling = Telling {
        dialect,
        models: accepted.models.clone(),
        include_usage: accepted.include_usage,
        asked: Asked::of(&accepted.body, Map::new()),
        known_events: 0,
        folds_the_past: true,
        shown_items: Vec::new(),
    };
    let answered = match accepted.stream {
        true => answer::stream(surface, accepted.request_id, telling).await,
        false => answer::whole(surface, accepted.request_id, telling).await,
    };
    Ok(accepted.annotate(answered))
}

/// Records a request with a lane for each choice.
pub(super) async fn record(
    surface: &Surface,
    mut body: Map<String, Value>,
    client: Client,
    dialect: Dialect,
) -> Result<Accepted, Problem> {
    let models = targets::take(surface, dialect, &mut body)?;
    let mut request = read(surface, dialect, &body, &models)?;
    if models.iter().any(|model| !speaks(surface, model, dialect)) {
        let ids = seals::call_ids(&request.conversation);
        let known = surface.engine.seals_of(client.key, ids).await;
        seals::put_on(&mut request.conversation, |id| {
            let seal = known.get(id)?;
            let is_asked = models.iter().any(|model| model.provider.as_str() == seal.provider);
            is_asked.then(|| Arc::clone(seal))
        });
    }
    let (conversation, body) = (Arc::new(request.conversation), Arc::new(body));
    let mut recorded = client.recorded.clone();
    recorded.dropped_fields = check(surface, dialect, &models, &conversation, &body)?;
    surface.http_metrics.dropped(&recorded.dropped_fields);
    let new = NewRequest {
        prompt: recorded.clone().prompt_of(&conversation, body.as_ref().clone()),
        lanes: models.into_iter().map(|model| LaneSpec { model, weight: None }).collect(),
        idempotency: client.idempotency,
        key: client.key,
        credential: client.credential,
        fallback: Fallback::Default,
    };
    let admitted = surface.engine.adopt_or_admit(new, &client.earlier).await?;
    Ok(Accepted {
        request_id: admitted.request_id,
        models: admitted.lanes.into_iter().map(|lane| lane.model).collect(),
        body,
        stream: request.stream.unwrap_or(false),
        include_usage: request.include_usage,
        shown_items: admitted.shown_items,
        dropped_fields: recorded.dropped_fields,
        standing: admitted.standing,
    })
}

/// What the request asks. Where all that is asked speaks the client's dialect, its provider judges what we cannot read.
fn read(
    surface: &Surface,
    dialect: Dialect,
    body: &Map<String, Value>,
    models: &[ModelRef],
) -> Result<ClientRequest, Problem> {
    if models.iter().all(|model| speaks(surface, model, dialect)) {
        return Ok(dialect.read_request(body));
    }
    Ok(dialect.decode_request(Value::Object(body.clone()).to_string().as_bytes())?)
}

fn speaks(surface: &Surface, model: &ModelRef, dialect: Dialect) -> bool {
    let provider = surface.engine.providers().get(&model.provider);
    provider.is_some_and(|provider| provider.dialect() == Some(dialect))
}

/// Whether each model can be asked; and the fields that it is not given, or in another form.
fn check(
    surface: &Surface,
    dialect: Dialect,
    models: &[ModelRef],
    conversation: &Arc<Conversation>,
    body: &Arc<Map<String, Value>>,
) -> Result<Vec<String>, Problem> {
    let mut dropped = BTreeSet::new();
    for model in models {
        let (body, forwarded) = (Arc::clone(body), Forwarded::default());
        let verbatim = Verbatim { dialect, body, forwarded, kind: CallKind::Answer };
        let call =
            Call { verbatim: Some(verbatim), ..Call::new(model.model.as_str(), Arc::clone(conversation)) };
        let provider = surface.engine.providers().get(&model.provider);
        dropped.extend(provider.map(|provider| provider.check(&call)).transpose()?.unwrap_or_default());
    }
    Ok(dropped.into_iter().collect())
}

impl Accepted {
    /// Of a request whose answer takes nothing over from it.
    pub(super) fn of(admitted: Admitted) -> Self {
        Self {
            request_id: admitted.request_id,
            models: admitted.lanes.into_iter().map(|lane| lane.model).collect(),
            body: Arc::default(),
            stream: false,
            include_usage: false,
            shown_items: 0,
            dropped_fields: Vec::new(),
            standing: admitted.standing,
        }
    }

    /// The answer with what is said of its request in headers, whether it is an answer or the reason why there is none.
    pub(super) fn annotate(&self, answered: Result<Response, Problem>) -> Response {
        let mut response = answered.unwrap_or_else(Problem::into_response);
        response.extensions_mut().insert(self.standing);
        answer::add_ids(&mut response, self.request_id);
        dropped_fields::add_header(&mut response, &self.dropped_fields);
        response
    }
}

pub(super) fn refused(field: &str, problem: &str) -> Problem {
    Problem::new(ProblemKind::InvalidField, format!("{field} {problem}")).field(field)
}

impl From<InvalidRequest> for Problem {
    fn from(invalid: InvalidRequest) -> Self {
        let problem = Self::new(ProblemKind::InvalidField, invalid.to_string());
        match invalid.field {
            Some(field) => problem.field(field),
            None => problem,
        }
    }
}

impl From<CannotHonour> for Problem {
    fn from(cannot: CannotHonour) -> Self {
        Self::new(ProblemKind::UnsupportedParameter, cannot.to_string()).field(cannot.field)
    }
}
