//! Prompts, requests, attempts and tokens.

use wordhoard_engine::metrics::{Metrics, ModelMetrics, ProviderMetrics};
use wordhoard_engine::{Engine, ProviderState, ServerState, Status};

use super::family::Family;

const STATES: &[&str] = &["closed", "open", "half-open"];

pub(super) fn families(engine: &Engine, status: &Status) -> Vec<Family> {
    let metrics = engine.metrics();
    let mut families = vec![
        Family::gauge("llm_buffer_len", "Events of the log that SQL does not have yet.")
            .number(status.buffer_len as f64),
        Family::gauge("llm_requests_in_flight", "Requests that run.").number(status.running_requests as f64),
        prompts(metrics),
        requests(metrics),
    ];
    families.push(servers(engine));
    families.extend(attempts(metrics));
    families.extend(timings(metrics));
    families.extend(providers(engine));
    families
}

fn prompts(metrics: &Metrics) -> Family {
    let mut family =
        Family::counter("llm_prompts_total", "Prompts that kept the rules, by what became of them.");
    for (fate, count) in metrics.prompts.iter() {
        family.add(&[("result", fate.as_str())], count as f64);
    }
    family
}

fn requests(metrics: &Metrics) -> Family {
    let mut family = Family::counter("llm_requests_total", "Requests that ended, by how.");
    for (outcome, count) in metrics.requests.iter() {
        family.add(&[("outcome", outcome.as_str())], count as f64);
    }
    family
}

fn servers(engine: &Engine) -> Family {
    let mut family = Family::gauge(
        "llm_servers",
        "Servers that have used this database, by how they are; nothing while it cannot be asked.",
    );
    let reports = engine.servers();
    for state in ServerState::ALL.iter().filter(|_| !reports.is_empty()) {
        let count = reports.iter().filter(|report| report.state == *state).count();
        family.add(&[("state", state.as_str())], count as f64);
    }
    family
}

/// Each model that has figures of its own, with its provider.
fn each_model(metrics: &Metrics) -> impl Iterator<Item = (&ProviderMetrics, &ModelMetrics)> {
    metrics.models.providers().flat_map(|provider| provider.models().map(move |model| (provider, model)))
}

/// Counters stand there from the start, at zero: what is counted first would be no increase otherwise.
fn attempts(metrics: &Metrics) -> [Family; 4] {
    let mut attempts = Family::counter("llm_attempts_total", "Calls to providers that ended, by how.");
    let mut failures =
        Family::counter("llm_attempt_failures_total", "Calls to providers that failed, by why.");
    let mut tokens =
        Family::counter("llm_tokens_total", "Tokens (pieces of answers) that came from providers.");
    let mut usage =
        Family::counter("llm_usage_tokens_total", "Tokens as providers count them, for what they bill.");
    for (provider, model) in each_model(metrics) {
        let of = [("provider", provider.name.as_str()), ("model", model.name.as_str())];
        for (outcome, count) in model.attempts.iter() {
            attempts.add(&[of[0], of[1], ("outcome", outcome.as_str())], count as f64);
        }
        tokens.add(&of, model.tokens.get() as f64);
        usage.add(&[of[0], of[1], ("type", "input")], model.input_tokens.get() as f64);
        usage.add(&[of[0], of[1], ("type", "output")], model.output_tokens.get() as f64);
    }
    for provider in metrics.models.providers() {
        for (class, count) in provider.failures.iter().filter(|(_, count)| *count > 0) {
            let of = [("provider", provider.name.as_str()), ("class", class.as_str())];
            failures.add(&of, count as f64);
        }
    }
    [attempts, failures, tokens, usage]
}

fn timings(metrics: &Metrics) -> [Family; 3] {
    let mut first =
        Family::histogram("llm_time_to_first_token_seconds", "From a call to a provider to its first token.");
    let mut between = Family::histogram("llm_time_between_tokens_seconds", "From one token to the next.");
    let mut whole =
        Family::histogram("llm_attempt_duration_seconds", "From a call to a provider to its end.");
    for (provider, model) in each_model(metrics).filter(|(_, model)| model.is_used()) {
        let of = [("provider", provider.name.as_str()), ("model", model.name.as_str())];
        first.add_histogram(&of, model.first_token.read());
        between.add_histogram(&of, model.between_tokens.read());
        whole.add_histogram(&of, model.duration.read());
    }
    [first, between, whole]
}

fn providers(engine: &Engine) -> Vec<Family> {
    let counted = |name, help, count: fn(&ProviderMetrics) -> f64| {
        let mut family = Family::counter(name, help);
        for provider in engine.metrics().models.providers() {
            family.add(&[("provider", &provider.name)], count(provider));
        }
        family
    };
    let mut in_flight = Family::gauge("llm_attempts_in_flight", "Calls to providers that run.");
    for provider in engine.metrics().models.providers() {
        in_flight.add(&[("provider", &provider.name)], provider.in_flight.get() as f64);
    }
    let mut families = vec![
        in_flight,
        counted("llm_retries_total", "Calls that tried the same model again.", |of| of.retries.get() as f64),
        counted("llm_fallbacks_total", "Calls in the place of a model that failed.", |of| {
            of.fallbacks.get() as f64
        }),
        counted("llm_continuations_total", "Calls that went on with a cut answer.", |of| {
            of.continuations.get() as f64
        }),
        counted("llm_breaker_openings_total", "Times that a provider's breaker opened.", |of| {
            of.breaker_openings.get() as f64
        }),
        counted("llm_cost_usd_total", "What answers cost, where the price is known.", |of| {
            of.cost_nano_usd.get() as f64 / 1e9
        }),
    ];
    families.extend(provider_states_now(engine));
    families
}

/// How each provider is now.
fn provider_states_now(engine: &Engine) -> [Family; 6] {
    let mut breaker = Family::gauge("llm_provider_breaker_state", "1 for the state of a provider's breaker.");
    let mut enabled = Family::gauge("llm_provider_enabled", "Whether a provider may be called.");
    let mut waiting = Family::gauge("llm_calls_waiting", "Calls that wait for their turn at a provider.");
    let mut limit = Family::gauge("llm_concurrency_limit", "Calls that may run at a provider at a time.");
    let mut refused =
        Family::gauge("llm_refused_keys", "Keys that a provider did not accept when they were used last.");
    let mut credit = Family::gauge("llm_keys_without_credit", "Keys whose account has no credit left.");
    for (provider, report) in engine.provider_reports() {
        let of = [("provider", provider.as_str())];
        breaker = breaker.one_of(STATES, report.state.as_str(), &of);
        enabled.add(&of, f64::from(u8::from(report.state != ProviderState::Disabled)));
        waiting.add(&of, report.waiting as f64);
        limit.add(&[of[0], ("pool", "native")], report.concurrency as f64);
        limit.add(&[of[0], ("pool", "drop_in")], report.drop_in_concurrency as f64);
        credit.add(&of, report.keys_without_credit as f64);
        refused.add(&of, report.refused_keys as f64);
    }
    [breaker, enabled, waiting, limit, refused, credit]
}
