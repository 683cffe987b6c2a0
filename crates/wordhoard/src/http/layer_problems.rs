//! What the layers before every route refuse, in the OpenAPI document: it is the same everywhere, and no route has to name it.

use std::collections::BTreeMap;

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{OpenApi, RefOr, Response};

use super::front::{Shape, told_problems};
use super::openapi::operations;
use super::problem::{ProblemKind, told_of};

/// Of `guard`, and of a server that starts.
const OF_ALL: [ProblemKind; 4] =
    [ProblemKind::NoHost, ProblemKind::UnknownHost, ProblemKind::TooManyHeaders, ProblemKind::Starting];
/// Of `guard`, where something may be changed.
const OF_CHANGES: [ProblemKind; 1] = [ProblemKind::ForeignOrigin];
/// Of `authorisation`, where a key has to be shown.
const OF_KEYED: [ProblemKind; 2] = [ProblemKind::Unauthorized, ProblemKind::WrongScope];

/// Adds them to every call of the document.
pub(super) fn add(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let mut kinds = OF_ALL.to_vec();
            if !matches!(method, "GET" | "HEAD") {
                kinds.extend(OF_CHANGES);
            }
            if needs_key(operation) {
                kinds.extend(OF_KEYED);
            }
            let told = match Shape::of_path(path) {
                Some(shape) => told_problems(shape, &kinds),
                None => told_of(&kinds, "application/problem+json", "Problem", ProblemKind::status),
            };
            merge(&mut operation.responses.responses, told);
        }
    }
}

/// Whether nobody may call without a key: a requirement of nothing is one that all fulfil.
fn needs_key(operation: &Operation) -> bool {
    let required = operation.security.as_deref().unwrap_or_default();
    !required.is_empty() && !required.contains(&SecurityRequirement::default())
}

fn merge(responses: &mut BTreeMap<String, RefOr<Response>>, told: BTreeMap<String, RefOr<Response>>) {
    for (status, more) in told {
        match (responses.get_mut(&status), more) {
            (Some(RefOr::T(known)), RefOr::T(more)) => {
                known.description = format!("{}\n{}", known.description, more.description);
                for (content_type, content) in more.content {
                    known.content.entry(content_type).or_insert(content);
                }
            }
            (_, more) => {
                responses.insert(status, more);
            }
        }
    }
}
