use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::check;

/// Resolves names for one provider and refuses the addresses that it may not have. The check is made on the very
/// addresses that are connected to, so a name cannot change between check and use.
#[derive(Clone, Debug)]
pub(crate) struct PolicyResolver {
    /// The host of the provider. Another name can only be a proxy's, which the operator's environment names.
    host: Arc<str>,
    allow_private: bool,
}

impl PolicyResolver {
    pub(crate) fn new(host: &str, allow_private: bool) -> Self {
        Self { host: host.into(), allow_private }
    }
}

impl Resolve for PolicyResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !name.as_str().eq_ignore_ascii_case(&policy.host) {
                return Ok(Box::new(found.into_iter()) as Addrs);
            }
            let (mut allowed, mut refused) = (Vec::new(), None);
            for address in found {
                match check(address.ip(), policy.allow_private) {
                    Ok(()) => allowed.push(address),
                    Err(error) => refused = Some(error),
                }
            }
            if allowed.is_empty() {
                return Err(match refused {
                    Some(error) => io::Error::new(io::ErrorKind::PermissionDenied, error).into(),
                    None => io::Error::new(io::ErrorKind::NotFound, "the name has no address").into(),
                });
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
