//! Traces, received by a collector that decodes them with OpenTelemetry's own classes.

mod collector;
mod spans;
mod trouble;

use wordhoard_testkit::server::ServerHome;

use crate::{EXE, ONE_CALL};

/// A home whose server sends its spans to this endpoint, soon.
fn home(endpoint: &str) -> ServerHome {
    let mut home = ServerHome::new(EXE, ONE_CALL).unwrap();
    home.set_environment("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    home.set_environment("OTEL_BSP_SCHEDULE_DELAY", "100");
    home
}
