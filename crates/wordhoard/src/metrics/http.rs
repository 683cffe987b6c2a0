use std::collections::BTreeMap;

use parking_lot::Mutex;
use wordhoard_engine::metrics::{Gauge, Inside};

use super::family::Family;

/// What the HTTP surface counts. Routes are those of the router, so there are only so many.
#[derive(Debug, Default)]
pub(crate) struct HttpMetrics {
    responses: Mutex<BTreeMap<Answered, u64>>,
    streams: Gauge,
    dropped_fields: Mutex<BTreeMap<String, u64>>,
}

/// Names of fields come from clients; past so many they share one label.
const MAX_FIELD_LABELS: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Answered {
    route: String,
    method: &'static str,
    class: &'static str,
}

impl HttpMetrics {
    /// A request was answered: to which route, if to any of ours, and how.
    pub(crate) fn answered(&self, method: &http::Method, route: Option<&str>, status: http::StatusCode) {
        let route = route.unwrap_or("none").to_owned();
        let answered = Answered { route, method: method_name(method), class: class(status) };
        *self.responses.lock().entry(answered).or_default() += 1;
    }

    /// A stream is open until this is dropped.
    pub(crate) fn open_stream(&self) -> Inside {
        self.streams.enter()
    }

    /// A request goes without these fields, or with them in another form. The place in a list is no part of the label.
    pub(crate) fn dropped(&self, fields: &[String]) {
        let mut counts = self.dropped_fields.lock();
        for field in fields {
            let label: String = field.chars().filter(|letter| !letter.is_ascii_digit()).collect();
            let is_known = counts.contains_key(&label) || counts.len() < MAX_FIELD_LABELS;
            let label = if is_known { label } else { "other".to_owned() };
            *counts.entry(label).or_default() += 1;
        }
    }

    pub(super) fn families(&self) -> [Family; 3] {
        let mut responses = Family::counter("wordhoard_http_responses_total", "Answers to HTTP requests.");
        for (answered, count) in &*self.responses.lock() {
            let of =
                [("route", answered.route.as_str()), ("method", answered.method), ("class", answered.class)];
            responses.add(&of, *count as f64);
        }
        let streams = Family::gauge("llm_open_streams", "Streams that clients have open.");
        let mut dropped = Family::counter(
            "wordhoard_dropped_fields_total",
            "Fields of requests that were dropped or adapted, by field.",
        );
        for (field, count) in &*self.dropped_fields.lock() {
            dropped.add(&[("field", field.as_str())], *count as f64);
        }
        [responses, streams.number(self.streams.get() as f64), dropped]
    }
}

/// Anyone may invent a method.
fn method_name(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn class(status: http::StatusCode) -> &'static str {
    match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}
