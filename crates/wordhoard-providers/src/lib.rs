//! Calls to LLM providers: connections, time limits, credentials, and failures told in classes.
//!
//! A [`Provider`] turns one call into a stream of deltas. All of them, the built-in demo included, go one way: a
//! transport posts the request and gives the answer's bytes, and above it the same code decodes, keeps the time limits,
//! classifies errors and takes secrets out of them. Nothing here retries, waits its turn or falls back: that is the
//! engine's part.

mod address_policy;
mod answering;
mod api_key;
mod catalogue;
mod client_credential;
pub mod demo;
mod key_ring;
mod limits;
mod passage;
mod prices;
mod provider;
mod redaction;
mod settings;
mod transport;

pub use address_policy::Refused;
pub use api_key::ApiKey;
pub use catalogue::Declared;
pub use client_credential::ClientCredential;
pub use key_ring::{NamedKey, Resting};
pub use limits::TimeLimits;
pub use passage::{Passage, Passed};
pub use prices::{DollarPrice, PriceTable, PriceTableError, known_price, own_prices, price_fields, put_over};
pub use provider::{AnswerPart, AnswerStream, Broken, Call, Forwarded, Pieces, Provider, Verbatim};
pub use settings::{Auth, HttpSettings, SettingsError, UpstreamStream, over_http};
pub use wordhoard_wire::seals::keep_those_of;
pub use wordhoard_wire::{
    AnswerRest, CallKind, CannotHonour, Completion, Delta, Dialect, InvalidRequest, ProviderEvent, Recorded,
    SealCollector, Unsupported, body_of, call_of, client_dialect_of, conversation_of,
};

use std::sync::Arc;

/// The built-in provider `demo`: models that answer without a key or a network, see [`demo::MODELS`].
pub fn demo(limits: TimeLimits) -> Arc<dyn Provider> {
    demo::provider(limits)
}
