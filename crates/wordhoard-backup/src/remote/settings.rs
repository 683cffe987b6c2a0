use std::fmt;
use std::time::Duration;

use super::RemoteError;
use super::name;

/// Which store, and who we are there.
#[derive(Clone)]
pub struct RemoteSettings {
    /// The bucket.
    pub bucket: String,
    /// What the names of our objects begin with; empty, or with a slash at its end.
    pub prefix: String,
    /// The URL of a store that is not Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The id of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// Whether it may be reached without TLS.
    pub allow_http: bool,
    /// How long and how often it is tried.
    pub limits: RemoteLimits,
}

/// How long and how often a call is tried.
#[derive(Clone, Copy, Debug)]
pub struct RemoteLimits {
    /// For a connection.
    pub connect: Duration,
    /// How long the store may be silent within a call.
    pub silence: Duration,
    /// How often a call is made again after a 5xx or a lost connection.
    pub retries: usize,
    /// After how long it is not made again.
    pub retry_for: Duration,
    /// For a call with all that; what it transfers is added.
    pub call: Duration,
    /// Larger files go in parts of this size, or of larger ones where there would be too many. Stores ask for 5 MiB
    /// at least.
    pub part_bytes: u64,
}

impl Default for RemoteLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            silence: Duration::from_secs(60),
            retries: 5,
            retry_for: Duration::from_secs(60),
            call: Duration::from_secs(180),
            part_bytes: 8 << 20,
        }
    }
}

impl RemoteSettings {
    pub(super) fn check(&self) -> Result<(), RemoteError> {
        let fault = |what: &str| Err(RemoteError::Settings(what.to_owned()));
        if self.bucket.is_empty() || !name::is_good(&self.bucket) || self.bucket.contains('/') {
            return fault("the bucket has a name that none can have");
        }
        let prefix = self.prefix.strip_suffix('/');
        if !self.prefix.is_empty() && !prefix.is_some_and(name::is_good) {
            return fault("the prefix must end in a slash, and may hold letters, digits, and . _ = + -");
        }
        if self.access_key_id.is_empty() || self.secret_access_key.is_empty() {
            return fault("the key or its id is empty");
        }
        match &self.endpoint {
            Some(url) if url.starts_with("http://") && !self.allow_http => {
                fault("the endpoint is without TLS, which has to be allowed")
            }
            Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
                fault("the endpoint is not an http or https URL")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for RemoteSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, prefix, endpoint, region, allow_http, limits, .. } = self;
        f.debug_struct("RemoteSettings")
            .field("bucket", bucket)
            .field("prefix", prefix)
            .field("endpoint", endpoint)
            .field("region", region)
            .field("allow_http", allow_http)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}
