use std::fmt::Debug;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;
use wordhoard_model::{Failure, FailureClass};

/// Someone who gives short-lived tokens in the place of a key.
pub(crate) trait TokenSource: Debug + Send + Sync {
    /// A token that is good now.
    fn token(&self) -> BoxFuture<'static, Result<String, Failure>>;
}

/// The scope that Vertex AI asks for: <https://cloud.google.com/vertex-ai/generative-ai/docs/start/gcp-auth>.
const SCOPES: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];

/// Tokens of Google's, by the credentials of the environment: a service account's file that
/// `GOOGLE_APPLICATION_CREDENTIALS` names, the metadata server, or `gcloud`. Kept until they run out.
#[derive(Clone, Default)]
pub(crate) struct GoogleTokens {
    provider: Arc<OnceCell<Arc<dyn gcp_auth::TokenProvider>>>,
}

impl TokenSource for GoogleTokens {
    fn token(&self) -> BoxFuture<'static, Result<String, Failure>> {
        let provider = Arc::clone(&self.provider);
        async move {
            let provider =
                provider.get_or_try_init(gcp_auth::provider).await.map_err(|error| refused(&error))?;
            let token = provider.token(SCOPES).await.map_err(|error| refused(&error))?;
            Ok(token.as_str().to_owned())
        }
        .boxed()
    }
}

fn refused(error: &gcp_auth::Error) -> Failure {
    Failure::new(FailureClass::Unauthorized, format!("no token of Google's can be had: {error}"))
}

impl Debug for GoogleTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GoogleTokens")
    }
}
