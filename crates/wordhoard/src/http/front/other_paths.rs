//! Paths under `/v1` that this server knows nothing of: files, batches, images, sound, moderation, reranking. They go to the
//! provider that `drop_in.other_paths` names, as they came, and what it answers comes back as it came (SPEC FD 12).

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use futures_util::TryStreamExt;
use wordhoard_engine::UnrecordedError;
use wordhoard_model::ModelRef;
use wordhoard_providers::{Forwarded, Passage};

use super::failures::problem_of;
use super::forwarding;
use crate::http::Surface;
use crate::http::asker::Asker;
use crate::http::problem::{Problem, ProblemKind};

const ROOT: &str = "/v1/";
/// What goes along beside the headers that always do.
const FORWARDED: [&str; 3] = ["accept", "content-type", "idempotency-key"];

/// Passes a request on.
pub(super) async fn pass_on(
    State(surface): State<Surface>,
    Asker { key, credential }: Asker,
    request: Request,
) -> Result<Response, Problem> {
    let nothing =
        |why: &str| Problem::new(ProblemKind::NotFound, format!("there is nothing at this path{why}"));
    let Some(provider) = surface.config.drop_in.other_paths.clone() else {
        return Err(nothing("; drop_in.other_paths can name a provider that gets it"));
    };
    let (head, body) = request.into_parts();
    let path: Vec<String> =
        head.uri.path().strip_prefix(ROOT).unwrap_or_default().split('/').map(str::to_owned).collect();
    // Whoever escapes a name may mean another path than it looks like.
    if path.iter().any(|name| name.is_empty() || name.contains(['%', '\\']) || name == "." || name == "..") {
        return Err(nothing(": it has empty, escaped or dotted names"));
    }
    let target = ModelRef::new(provider, &path.join("/")).map_err(|_| nothing(""))?;
    let body = surface.bodies.read(&head.headers, body).await?;
    let passage = Passage {
        method: head.method.clone(),
        path,
        forwarded: Forwarded {
            headers: forwarded(&head.headers),
            query: head.uri.query().filter(|query| !query.is_empty()).map(str::to_owned),
        },
        body: body.to_vec().into(),
        credential,
    };
    let (began, bytes) = (Instant::now(), passage.body.len());
    let passed = surface.engine.pass_on(&target, passage, key).await;
    let status = passed.as_ref().map_or(0, |passed| passed.status);
    let waited_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(method = %head.method, path = head.uri.path(), provider = %target.provider, status, bytes, waited_ms, "passed on");
    match passed {
        Ok(passed) => answered(&head.method, passed),
        Err(UnrecordedError::Refused(refused)) => Err(refused.into()),
        Err(UnrecordedError::Failed(failure)) => Err(problem_of(&failure)),
    }
}

fn answered(method: &Method, passed: wordhoard_providers::Passed) -> Result<Response, Problem> {
    let body = match *method == Method::HEAD {
        true => Body::empty(),
        false => Body::from_stream(passed.body.map_err(|failure| std::io::Error::other(failure.message))),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(passed.status).map_err(|_| {
        Problem::new(ProblemKind::ProviderFailed, "the provider answered with a status that is none")
    })?;
    *response.headers_mut() = passed.headers;
    Ok(response)
}

fn forwarded(headers: &HeaderMap) -> Vec<(String, String)> {
    let named = FORWARDED.iter().filter_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    forwarding::headers_of(headers).chain(named).collect()
}
