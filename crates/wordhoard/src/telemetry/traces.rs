//! Where spans go: by OTLP over HTTP, from a thread of its own. A collector that is away or slow costs spans, never a
//! prompt or a token: what is recorded goes into a bounded queue, and what does not fit is dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use opentelemetry::{Key, KeyValue, global};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};

/// The path for traces at an endpoint that is given for all signals (OTLP's specification).
const TRACES_PATH: &str = "/v1/traces";
/// How long the collector may take for a batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last spans may hold up the end of the process.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// The way of spans out of the process.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends all spans to this endpoint from now on. The size of the queue, the pace and the share of traces that are
    /// kept are OpenTelemetry's own variables (`OTEL_BSP_*`, `OTEL_TRACES_SAMPLER`).
    ///
    /// # Errors
    /// Where the endpoint cannot be meant.
    pub(crate) fn start(endpoint: &str) -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}{TRACES_PATH}", endpoint.trim_end_matches('/')))
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .context("telemetry.otlp_endpoint")?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(Watched { exporter, failing: AtomicBool::new(false) })
            .build();
        global::set_tracer_provider(provider.clone());
        Ok(Self(provider))
    }

    /// Sends what is left, for as long as that may take. Blocks.
    pub(crate) fn stop(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_CHANCE) {
            tracing::info!(%error, "the last spans were not sent");
        }
    }
}

/// Who sends the spans: by the name that `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` gives, else by ours.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let found = Resource::builder().with_attribute(version.clone()).build();
    let name = found.get(&Key::from_static_str("service.name"));
    if name.is_some_and(|name| !name.as_str().starts_with("unknown_service")) {
        return found;
    }
    Resource::builder().with_attribute(version).with_service_name("wordhoard").build()
}

/// Tells the log when the collector goes away and when it is back, once each.
#[derive(Debug)]
struct Watched {
    exporter: SpanExporter,
    failing: AtomicBool,
}

impl opentelemetry_sdk::trace::SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        let was_failing = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(_) if !was_failing => {
                tracing::warn!(
                    spans,
                    "spans cannot be sent to the collector; they are dropped until they can"
                );
            }
            Ok(()) if was_failing => tracing::info!("spans are sent to the collector again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
