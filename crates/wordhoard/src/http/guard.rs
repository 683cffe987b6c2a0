//! What every request passes: the check of its `Host`, and the line in the log if it is refused.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// The names under which the server may be called. A page of another origin that had its name point here (DNS
/// rebinding) is refused.
#[derive(Clone, Debug)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn new(listen: SocketAddr, configured: &[String]) -> Self {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        names.push(match listen {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        });
        names.extend(configured.iter().map(|name| name.to_ascii_lowercase()));
        Self(names)
    }

    fn allow(&self, authority: &str) -> bool {
        let name = match authority.rfind(':') {
            // A colon within brackets belongs to the address.
            Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
            _ => authority,
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.0.contains(&name)
    }
}

pub(super) async fn check_host(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default().to_owned());
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    match authority.or(header) {
        Some(host) if hosts.allow(&host) => next.run(request).await,
        Some(host) => {
            let detail =
                format!("{host:?} is no name of this server; add it to allowed_hosts if it should be");
            Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown-host", detail)
                .field("Host")
                .into_response()
        }
        None => Problem::bad_request("no-host", "the Host header is missing").field("Host").into_response(),
    }
}

/// One line for each request that is refused or fails; those that succeed are told where the work is done.
pub(super) async fn log_refusals(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let problem = response.extensions().get::<Problem>();
        let (detail, field) = (problem.map(|p| p.detail.as_str()), problem.and_then(|p| p.field.as_deref()));
        if status.is_server_error() {
            tracing::warn!(%method, path, status = status.as_u16(), field, detail, "request failed");
        } else {
            tracing::info!(%method, path, status = status.as_u16(), field, detail, "request refused");
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_server_are_allowed_whatever_the_port() {
        let hosts = Hosts::new("127.0.0.2:8000".parse().unwrap(), &["Wordhoard.Example".into()]);
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.2:1", "[::1]", "[::1]:80", "wordhoard.example."]
        {
            assert!(hosts.allow(host), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example", "127.0.0.3", "[::2]:80", "::1", "evil:localhost"]
        {
            assert!(!hosts.allow(host), "{host}");
        }
    }
}
