use std::fmt;

/// A provider's secret. Shows nothing of itself in `Debug`, has no `Display`, and leaves this crate only as the
/// `Authorization` header of a call.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key, without the blanks around it that a file or an environment variable often brings.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "takes the secret over, so that the caller keeps no copy"
    )]
    pub fn new(key: String) -> Self {
        Self(key.trim().to_owned())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}
