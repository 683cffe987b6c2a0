//! The administration: what it shows and what it changes. All of it stands behind the administrators' door.

mod fallback;
mod key_limits;
mod keys;
mod operations;
mod providers;
mod requests;
mod servers;
mod status;
mod wal;

pub(crate) use key_limits::limits_of_key;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Surface;

pub(super) fn routes() -> OpenApiRouter<Surface> {
    OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(key_limits::replace))
        .routes(routes!(providers::list))
        .routes(routes!(providers::enable))
        .routes(routes!(providers::disable))
        .routes(routes!(providers::reset))
        .routes(routes!(providers::probe))
        .routes(routes!(servers::list))
        .routes(routes!(servers::retire))
        .routes(routes!(fallback::show))
        .routes(routes!(requests::list))
        .routes(routes!(requests::one))
        .routes(routes!(wal::show))
        .routes(routes!(wal::verify))
        .routes(routes!(operations::list))
        .routes(routes!(operations::one))
}
