//! Calls in any dialect, over whatever transport: the one path that every answer takes.

mod account;
mod alarm;
mod answer;
mod clock;
mod embeddings;
mod head;
mod keyed;
mod stops;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, future, stream};
use serde_json::{Map, Value};
use wordhoard_model::{Capabilities, Failure, FailureClass, ProviderName};
use wordhoard_wire::{Ask, CallKind, CannotHonour, Dialect, LeftOut, Unsupported};

pub(crate) use self::account::Account;
use self::account::Pass;
use self::answer::Answer;
use crate::catalogue::Catalogue;
use crate::key_ring::{KeyRing, Pick, Resting};
use crate::redaction::Redactor;
use crate::transport::{Endpoint, Post, Reply, Transport};
use crate::{
    AnswerPart, AnswerStream, Broken, Call, ClientCredential, Forwarded, Passage, Passed, Provider,
    TimeLimits, UpstreamStream, Verbatim,
};

/// The headers of what is passed on that are the client's affair; one that ends in `*` stands for all that begin so. Others are
/// the connection's, or say who we are to the provider.
const CLIENTS_HEADERS: [&str; 12] = [
    "cache-control",
    "content-disposition",
    "content-type",
    "etag",
    "last-modified",
    "location",
    "openai-processing-ms",
    "openai-version",
    "request-id",
    "retry-after",
    "x-ratelimit-*",
    "x-request-id",
];

fn is_for_clients(name: &http::HeaderName) -> bool {
    let name = name.as_str();
    CLIENTS_HEADERS.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}

/// A provider of some dialect.
#[derive(Debug)]
pub(crate) struct DialectProvider(Speaker);

/// What it is made of.
#[derive(Debug)]
pub(crate) struct Speaker {
    pub(crate) name: ProviderName,
    pub(crate) dialect: Dialect,
    /// Whether it is Vertex AI, of Google's two APIs.
    pub(crate) is_vertex: bool,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) limits: TimeLimits,
    pub(crate) redactor: Redactor,
    pub(crate) catalogue: Catalogue,
    pub(crate) unsupported: Unsupported,
    pub(crate) upstream_stream: UpstreamStream,
    pub(crate) account: Account,
}

impl DialectProvider {
    pub(crate) fn new(speaker: Speaker) -> Self {
        Self(speaker)
    }

    fn encode(
        &self,
        call: &Call,
        capabilities: &Capabilities,
        left_out: Option<&LeftOut>,
    ) -> Result<Vec<u8>, CannotHonour> {
        let (dialect, ask) = (self.0.dialect, self.ask_of(call, capabilities, left_out));
        match self.own_request(call) {
            Some(verbatim) if verbatim.kind == CallKind::Compaction => {
                Ok(dialect.encode_compaction(&verbatim.body, &ask))
            }
            Some(verbatim) => Ok(dialect.encode_verbatim(&verbatim.body, &ask)),
            None => dialect.encode_request(&ask),
        }
    }

    /// The client's request as it came, where the client speaks the provider's dialect.
    fn own_request<'a>(&self, call: &'a Call) -> Option<&'a Verbatim> {
        call.verbatim.as_ref().filter(|verbatim| verbatim.dialect == self.0.dialect)
    }

    fn is_compaction(&self, call: &Call) -> bool {
        self.own_request(call).is_some_and(|own| own.kind == CallKind::Compaction)
    }

    /// Whether the provider is asked for a stream.
    fn is_streamed(&self, call: &Call, capabilities: &Capabilities) -> bool {
        let asked = call.verbatim.as_ref();
        let wants_document = asked.is_some_and(|asked| asked.body.get("stream") != Some(&Value::Bool(true)));
        let is_as_asked = self.0.upstream_stream == UpstreamStream::AsAsked;
        capabilities.stream && !self.is_compaction(call) && !(is_as_asked && wants_document)
    }

    fn ask_of<'a>(
        &self,
        call: &'a Call,
        capabilities: &'a Capabilities,
        left_out: Option<&'a LeftOut>,
    ) -> Ask<'a> {
        Ask {
            model: &call.model,
            conversation: &call.conversation,
            answer_so_far: call.answer_so_far.as_deref(),
            stream: self.is_streamed(call, capabilities),
            capabilities,
            unsupported: self.0.unsupported,
            left_out,
        }
    }

    fn embeddings(
        &self,
        model: &str,
        asked: &Verbatim,
        credential: Option<ClientCredential>,
    ) -> AnswerStream {
        if !self.has_embeddings() {
            let name = self.0.name.as_str();
            let message = format!("{name} is not asked for embeddings: its dialect is none of OpenAI's");
            let failure = Failure::new(FailureClass::Unsupported, message);
            return stream::once(future::ready(Err(failure.into()))).boxed();
        }
        let mut body = Map::clone(&asked.body);
        body.insert("model".to_owned(), model.into());
        let body = Value::Object(body).to_string();
        let document =
            self.ask(Endpoint::Embeddings, model, body.into(), asked.forwarded.clone(), credential);
        embeddings::parts(document).boxed()
    }

    /// Asks for what comes as one document.
    fn ask(
        &self,
        endpoint: Endpoint,
        model: &str,
        body: Bytes,
        forwarded: Forwarded,
        credential: Option<ClientCredential>,
    ) -> impl Future<Output = Result<Vec<u8>, Failure>> + Send + use<> {
        let speaker = &self.0;
        let pass = speaker.account.pass(&speaker.name, &speaker.redactor, credential);
        let post = Post { model: model.to_owned(), body, forwarded, ..Post::new(endpoint) };
        let (transport, is_clients) = (Arc::clone(&speaker.transport), speaker.account.is_clients());
        let (dialect, limits) = (speaker.dialect, speaker.limits);
        async move {
            let Pass { keys, credential, redactor } = pass?;
            let called = keyed::post(transport, keys, dialect, Post { credential, ..post });
            let document = answer::document(called, dialect, limits).await;
            document.map_err(|failure| Account::blame(is_clients, redactor.redact(failure)))
        }
    }
}

impl Provider for DialectProvider {
    fn name(&self) -> &ProviderName {
        &self.0.name
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(self.0.dialect)
    }

    fn capabilities(&self, model: &str) -> Arc<Capabilities> {
        self.0.catalogue.of(model)
    }

    fn check(&self, call: &Call) -> Result<BTreeSet<String>, CannotHonour> {
        // What goes as it came leaves nothing out.
        if self.own_request(call).is_some() {
            return Ok(BTreeSet::new());
        }
        let left_out = LeftOut::default();
        self.encode(call, &self.capabilities(&call.model), Some(&left_out))?;
        Ok(left_out.into_names())
    }

    fn resting(&self, model: &str) -> Option<Resting> {
        let resting = self.0.account.our_keys()?.resting(model)?;
        Some(Resting { failure: self.0.redactor.redact(resting.failure), ..resting })
    }

    fn first_token_limit(&self) -> Duration {
        self.0.limits.first_token
    }

    fn keys_without_credit(&self) -> usize {
        self.0.account.our_keys().map_or(0, KeyRing::without_credit_count)
    }

    fn refused_keys(&self) -> usize {
        self.0.account.our_keys().map_or(0, KeyRing::refused_count)
    }

    fn takes_client_credential(&self) -> bool {
        self.0.account.is_clients()
    }

    fn has_embeddings(&self) -> bool {
        matches!(self.0.dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses)
    }

    fn answer(&self, call: Call) -> AnswerStream {
        if let Some(verbatim) = call.verbatim.as_ref().filter(|asked| asked.kind == CallKind::Embeddings) {
            return self.embeddings(&call.model, verbatim, call.credential.clone());
        }
        let speaker = &self.0;
        let capabilities = self.capabilities(&call.model);
        let (is_stream, is_compaction) = (self.is_streamed(&call, &capabilities), self.is_compaction(&call));
        let body = match self.encode(&call, &capabilities, None) {
            Ok(body) => body,
            Err(error) => {
                let failure = Failure::new(FailureClass::Unsupported, error.to_string());
                return stream::once(future::ready(Err(failure.into()))).boxed();
            }
        };
        let pass = match speaker.account.pass(&speaker.name, &speaker.redactor, call.credential) {
            Ok(pass) => pass,
            Err(failure) => return stream::once(future::ready(Err(failure.into()))).boxed(),
        };
        let verbatim = call.verbatim.filter(|verbatim| verbatim.dialect == speaker.dialect);
        let (stops, tool_names) = match verbatim {
            Some(_) => Default::default(),
            None => (
                speaker.dialect.unsent_stops(&call.conversation),
                speaker.dialect.renamed_tools(&call.conversation),
            ),
        };
        let keeps_events = call.keeps_events && verbatim.is_some();
        let post = Post {
            model: call.model,
            stream: is_stream,
            body: body.into(),
            forwarded: verbatim.map(|verbatim| verbatim.forwarded).unwrap_or_default(),
            credential: pass.credential,
            ..Post::new(if is_compaction { Endpoint::Compaction } else { Endpoint::Answer })
        };
        let called = keyed::post(Arc::clone(&speaker.transport), pass.keys, speaker.dialect, post);
        // An answer that comes whole has its head when all of it is there.
        let first_token = if is_stream { speaker.limits.first_token } else { speaker.limits.total };
        let limits = TimeLimits { first_token, ..speaker.limits };
        let answer = Answer::new(called, speaker.dialect, limits, pass.redactor, keeps_events);
        let is_clients = speaker.account.is_clients();
        let blamed =
            move |broken: Broken| Broken { failure: Account::blame(is_clients, broken.failure), ..broken };
        let named = move |mut part: AnswerPart| {
            if let (AnswerPart::Pieces(pieces), false) = (&mut part, tool_names.is_empty()) {
                let deltas = std::mem::take(&mut pieces.deltas).into_iter();
                pieces.deltas = deltas.map(|delta| delta.with_tool_name(&tool_names)).collect();
            }
            part
        };
        let parts = stream::unfold(answer, Answer::next);
        stops::cut_at(stops, parts.map(move |part| part.map(&named).map_err(blamed)).boxed())
    }

    fn pass_on(&self, passage: Passage) -> BoxFuture<'static, Result<Passed, Failure>> {
        let speaker = &self.0;
        let pass = speaker.account.pass(&speaker.name, &speaker.redactor, passage.credential.clone());
        let (transport, is_clients) = (Arc::clone(&speaker.transport), speaker.account.is_clients());
        let first_byte = speaker.limits.first_token;
        async move {
            let Pass { keys, credential, redactor } = pass?;
            let key = match keys.pick("") {
                Pick::Key(place) => place,
                Pick::Resting(resting) => return Err(redactor.redact(resting.into_failure())),
            };
            let sent = transport.pass_on(Passage { credential, ..passage }, key);
            let reply = match tokio::time::timeout(first_byte, sent).await {
                Ok(reply) => reply,
                Err(_) => {
                    let message = format!("the provider did not answer within {first_byte:?}");
                    Err(Failure::new(FailureClass::FirstTokenTimeout, message))
                }
            };
            let reply = reply.map_err(|failure| Account::blame(is_clients, redactor.redact(failure)))?;
            let Reply { status, headers, mut body } = reply;
            if status >= 400 {
                // Providers repeat a key that they refuse.
                // Half of an error is still one.
                let told = tokio::time::timeout(first_byte, keyed::read_error(&mut body)).await;
                let told = told.unwrap_or_default();
                let told = redactor.redact_text(&String::from_utf8_lossy(&told));
                body = stream::iter([Ok(Bytes::from(told))]).boxed();
            }
            let headers = headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
            let headers = headers.filter(|(name, _)| is_for_clients(name)).collect();
            Ok(Passed { status, headers, body })
        }
        .boxed()
    }

    fn count_tokens(&self, call: Call) -> BoxFuture<'static, Result<u64, Failure>> {
        let dialect = self.0.dialect;
        let capabilities = self.capabilities(&call.model);
        let refused = |problem| future::ready(Err(Failure::new(FailureClass::Unsupported, problem))).boxed();
        let ask = self.ask_of(&call, &capabilities, None);
        let encoded = match self.own_request(&call) {
            Some(verbatim) => Ok(dialect.encode_count_verbatim(&verbatim.body, &ask)),
            None => dialect.encode_count(&ask, self.0.is_vertex),
        };
        let body = match encoded {
            Ok(Some(body)) => body,
            Ok(None) => return refused(format!("provider {:?} does not count tokens", self.0.name.as_str())),
            Err(cannot) => return refused(cannot.to_string()),
        };
        let document = {
            let none = Forwarded::default();
            self.ask(Endpoint::TokenCount, &call.model, body.into(), none, call.credential.clone())
        };
        async move {
            let counted = dialect.decode_count(&document.await?);
            counted.ok_or_else(|| Failure::new(FailureClass::Malformed, "the provider's count is no number"))
        }
        .boxed()
    }
}
