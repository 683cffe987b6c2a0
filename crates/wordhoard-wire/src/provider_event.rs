/// An event of a provider's stream as it came, for clients that speak its dialect: they get every event and every field of it, also
/// those that we know nothing of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEvent {
    /// Its `event:` field.
    pub name: Option<String>,
    /// Its data: the `data:` lines, joined by LF.
    pub data: String,
    /// How many deltas came out of it.
    pub delta_count: usize,
}
