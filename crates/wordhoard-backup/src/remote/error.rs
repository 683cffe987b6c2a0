use std::error::Error;
use std::path::{Path, PathBuf};

use object_store::client::HttpError;

/// Why the store did not do what it was asked. Nothing of what it answered stands in it but its status and its code,
/// for such answers repeat ids of keys and what was signed.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// It is away, overloaded, or silent. It may be tried again later.
    #[error("the object store cannot be reached: {0}")]
    Unavailable(String),
    /// It knows the key not, or does not let it do this.
    #[error("the object store denies access to {name}")]
    Denied {
        /// To which object.
        name: String,
    },
    /// There is no such object.
    #[error("the object store has no {name}")]
    NotFound {
        /// Which.
        name: String,
    },
    /// There is one of that name already, with other content.
    #[error("the object store has another {name} already")]
    AlreadyExists {
        /// Which.
        name: String,
    },
    /// What is there is not what was put there.
    #[error("{name} in the object store is damaged: {what}")]
    Mismatch {
        /// Which object.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// It is larger than it can be.
    #[error("{name} in the object store is larger than it may be")]
    TooLarge {
        /// Which object.
        name: String,
    },
    /// Its name is none that we would give.
    #[error("{name:?} cannot be the name of an object")]
    Name {
        /// The name.
        name: String,
    },
    /// It refuses the call, and would do so again.
    #[error("the object store refuses: {0}")]
    Refused(String),
    /// The settings are wrong.
    #[error("the settings of the object store: {0}")]
    Settings(String),
    /// A file here has changed while it was sent.
    #[error("{path} changed while it was sent")]
    Changed {
        /// Which file.
        path: PathBuf,
    },
    /// A file here cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl RemoteError {
    /// Whether the same may go well later, without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Changed { .. })
    }
}

/// For errors of the file at `path`.
pub(super) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> RemoteError {
    move |source| RemoteError::File { path: path.to_owned(), source }
}

/// What an error of the store means for us.
pub(super) fn of_store(error: &object_store::Error, name: &str) -> RemoteError {
    use object_store::Error as Of;
    let name = name.to_owned();
    if code(error).is_some_and(|code| code == "NoSuchBucket") {
        return RemoteError::Refused("there is no such bucket".into());
    }
    match error {
        Of::NotFound { .. } => RemoteError::NotFound { name },
        Of::AlreadyExists { .. } | Of::Precondition { .. } => RemoteError::AlreadyExists { name },
        Of::PermissionDenied { .. } | Of::Unauthenticated { .. } => RemoteError::Denied { name },
        // A list says so in this way.
        other if matches!(status(other), Some(401 | 403)) => RemoteError::Denied { name },
        Of::InvalidPath { .. } => RemoteError::Refused("it lists an object whose name is no path".into()),
        other if is_transient(other) => RemoteError::Unavailable(without_body(other)),
        other => RemoteError::Refused(without_body(other)),
    }
}

/// An error in a few words of ours.
pub(super) fn without_body(error: &object_store::Error) -> String {
    let status = status(error).map(|status| format!("status {status}"));
    let words: Vec<_> = status.into_iter().chain(code(error)).collect();
    if !words.is_empty() {
        return words.join(", ");
    }
    match http_error(error) {
        Some(http) => format!("{:?}", http.kind()).to_lowercase(),
        None => "it answered with what is no answer of such a store".into(),
    }
}

fn is_transient(error: &object_store::Error) -> bool {
    match status(error) {
        Some(status) => status >= 500 || status == 429 || status == 408,
        None => http_error(error).is_some(),
    }
}

fn http_error(error: &object_store::Error) -> Option<&HttpError> {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(current) = cause {
        if let Some(http) = current.downcast_ref::<HttpError>() {
            return Some(http);
        }
        cause = current.source();
    }
    None
}

/// The status of an answer; the crate tells it only in its text.
fn status(error: &object_store::Error) -> Option<u16> {
    let text = error.to_string();
    let digits = text.split_once("status code: ")?.1;
    digits.get(..3)?.parse().ok()
}

/// S3's code for what is wrong.
fn code(error: &object_store::Error) -> Option<String> {
    let text = error.to_string();
    let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
    let plain = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn an_answer_is_told_by_its_status_and_code_only() {
        let body = "Server returned non-2xx status code: 503 Service Unavailable: <Error><Code>SlowDown</Code>\
                    <AWSAccessKeyId>AKIACANARY</AWSAccessKeyId></Error>";
        let RemoteError::Unavailable(told) = of_store(&answered(body), "a") else { panic!("another error") };
        assert_eq!(told, "status 503, SlowDown");
        let refused = of_store(&answered("status code: 400 Bad Request: AKIACANARY"), "a");
        assert!(matches!(&refused, RemoteError::Refused(told) if told == "status 400"), "{refused:?}");
        assert!(!refused.is_transient());
        let odd = of_store(&answered("AKIACANARY"), "a");
        assert!(!odd.to_string().contains("CANARY"), "{odd}");
    }
}
