use wordhoard_engine::Engine;

/// Every provider with its state: `closed`, `open`, `half-open`, or `disabled`.
pub(crate) fn provider_states(engine: &Engine) -> Vec<(String, &'static str)> {
    let states = engine.provider_states().into_iter();
    states.map(|(name, state)| (name.as_str().to_owned(), state.as_str())).collect()
}
