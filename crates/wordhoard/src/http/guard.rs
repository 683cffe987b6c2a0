//! What may not pass: the checks of a request's `Host` and `Origin`, and the line in the log where it is refused.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;

use super::problem::{Problem, ProblemKind};
use crate::access::without_keys;
use crate::server::MAX_HEADERS;

/// The names under which the server may be called. A page of another origin that had its name point here (DNS
/// rebinding) is refused.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    names: Vec<String>,
    /// Those of `names` that the configuration has: pages under them may call, whatever stands between.
    configured: Vec<String>,
    /// Whether every address is ours: the server listens on all of its machine's. A rebound name is none.
    any_address: bool,
}

impl Hosts {
    pub(crate) fn new(listen: SocketAddr, configured: &[String]) -> Self {
        let configured: Vec<_> = configured.iter().map(|name| name.to_ascii_lowercase()).collect();
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        names.push(match listen {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        });
        names.extend_from_slice(&configured);
        Self { names, configured, any_address: listen.ip().is_unspecified() }
    }

    fn allow(&self, authority: &str) -> bool {
        let name = name_of(authority);
        self.names.contains(&name) || (self.any_address && is_address(&name))
    }

    /// Whether a page of this origin may change something here: only one that this server itself, under the name that
    /// it was called by, could have given.
    fn allow_origin(&self, origin: &str, called: &str) -> bool {
        let Some(authority) = origin.strip_prefix("http://").or(origin.strip_prefix("https://")) else {
            return false;
        };
        authority.eq_ignore_ascii_case(called) || self.configured.contains(&name_of(authority))
    }
}

/// A host without its port. What stands behind the last colon and is no port belongs to the name, which is then none of ours:
/// `localhost:80@evil.example` is a page of another.
fn name_of(authority: &str) -> String {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn is_address(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()),
        None => name.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()),
    }
}

/// The host that a request names: its target's where that has one, whatever the header says.
fn called_host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if let Some(authority) = uri.authority() {
        return Some(authority.as_str().to_owned());
    }
    let mut all = headers.get_all(header::HOST).iter();
    let first = all.next()?.to_str().unwrap_or_default();
    // Two are no name: who reads the one and who the other cannot be told.
    Some(if all.next().is_none() { first.to_owned() } else { String::new() })
}

/// Whether a request may pass.
pub(super) fn check(hosts: &Hosts, request: &Request) -> Result<(), Problem> {
    check_header_lines(request)?;
    check_host(hosts, request)?;
    check_origin(hosts, request)
}

fn check_host(hosts: &Hosts, request: &Request) -> Result<(), Problem> {
    match called_host(request.uri(), request.headers()) {
        Some(host) if hosts.allow(&host) => Ok(()),
        Some(host) => {
            let detail =
                format!("{host:?} is no name of this server; add it to allowed_hosts if it should be");
            Err(Problem::new(ProblemKind::UnknownHost, detail).field("Host"))
        }
        None => Err(Problem::new(ProblemKind::NoHost, "the Host header is missing").field("Host")),
    }
}

/// Refuses more header lines than the parser of HTTP/1.1 takes, whichever version they came with.
fn check_header_lines(request: &Request) -> Result<(), Problem> {
    let lines = request.headers().len();
    if lines <= MAX_HEADERS {
        return Ok(());
    }
    let detail = format!("the request has {lines} header lines, and at most {MAX_HEADERS} are taken");
    Err(Problem::new(ProblemKind::TooManyHeaders, detail))
}

/// Refuses what a page of another origin has its reader's browser do. Programs send no `Origin`.
fn check_origin(hosts: &Hosts, request: &Request) -> Result<(), Problem> {
    let changes_nothing = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let Some(origin) = request.headers().get(header::ORIGIN).filter(|_| !changes_nothing) else {
        return Ok(());
    };
    let called = called_host(request.uri(), request.headers()).unwrap_or_default();
    let origin = origin.to_str().unwrap_or_default();
    if hosts.allow_origin(origin, &called) {
        return Ok(());
    }
    let shown: String = origin.chars().take(80).collect();
    let detail = format!(
        "pages of {shown:?} may not change anything here; add its host to allowed_hosts if they should"
    );
    Err(Problem::new(ProblemKind::ForeignOrigin, detail).field("Origin"))
}

/// Whether the body of a request came in chunks. What a proxy before us may have taken for the body of another length
/// (`Content-Length` beside `Transfer-Encoding`) must never be read as a request of its own.
pub(super) fn came_in_chunks(request: &Request) -> bool {
    request.headers().contains_key(header::TRANSFER_ENCODING)
}

/// One line for each request that is refused or fails; those that succeed are told where the work is done.
pub(super) fn log_refusal(method: &Method, uri: &Uri, response: &Response) {
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let problem = response.extensions().get::<Problem>();
        let (detail, field) = (problem.map(|p| p.detail.as_str()), problem.and_then(|p| p.field.as_deref()));
        let (path, field, detail) =
            (without_keys(uri.path()), field.map(without_keys), detail.map(without_keys));
        let (path, field, detail) = (&*path, field.as_deref(), detail.as_deref());
        if status.is_server_error() {
            tracing::warn!(%method, path, status = status.as_u16(), field, detail, "request failed");
        } else {
            tracing::info!(%method, path, status = status.as_u16(), field, detail, "request refused");
        }
    }
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
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.3",
            "[::2]:80",
            "::1",
            "evil:localhost",
            "localhost:80@evil.example",
            "localhost:@evil.example:80",
            "localhost@evil.example",
            "[::1]:x",
        ] {
            assert!(!hosts.allow(host), "{host}");
        }
    }

    #[test]
    fn on_all_addresses_every_address_is_ours_and_no_name() {
        let hosts = Hosts::new("0.0.0.0:8000".parse().unwrap(), &[]);
        for host in ["10.1.2.3:8000", "[2001:db8::1]:80", "localhost"] {
            assert!(hosts.allow(host), "{host}");
        }
        for host in ["evil.example", "10.1.2.3.evil.example", "2001:db8::1", "[10.1.2.3]", "010.1.2.3"] {
            assert!(!hosts.allow(host), "{host}");
        }
    }

    #[test]
    fn pages_of_this_server_may_change_something_and_no_others() {
        let hosts = Hosts::new("127.0.0.1:8000".parse().unwrap(), &["chat.example".into()]);
        for origin in ["http://127.0.0.1:8000", "https://chat.example", "http://chat.example:8443"] {
            assert!(hosts.allow_origin(origin, "127.0.0.1:8000"), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://127.0.0.1:3000",
            "http://localhost:8000",
            "https://evil.example",
            "http://127.0.0.1:8000.evil.example",
            "file://127.0.0.1:8000",
            "https://notchat.example",
            "https://chat.example:1@evil.example",
        ] {
            assert!(!hosts.allow_origin(origin, "127.0.0.1:8000"), "{origin}");
        }
    }
}
