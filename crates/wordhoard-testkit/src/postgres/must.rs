use std::error::Error;

/// Ends the test with a text that tells what could not be done, and every cause below it.
pub(super) trait Must<T> {
    /// The value, or the panic `cannot {what}: …`.
    fn must(self, what: &str) -> T;
}

impl<T, E: Error> Must<T> for Result<T, E> {
    #[track_caller]
    #[expect(clippy::panic, reason = "a test without its database must fail, and say why in readable lines")]
    fn must(self, what: &str) -> T {
        match self {
            Ok(value) => value,
            Err(error) => panic!("cannot {what}: {}", told(&error)),
        }
    }
}

/// The error and its causes in one line; that of tokio-postgres by itself only says `db error`.
fn told(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
