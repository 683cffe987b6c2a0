//! A provider of OpenAI's chat dialect over real HTTP that misbehaves as the model's name says.
//!
//! | model | what it does |
//! |---|---|
//! | `ok`, `ok-N` | 20 or N tokens, at once |
//! | `rate-N` | 20 tokens at N a second |
//! | `paced-NxR` | N tokens at R a second; each is `"{nanoseconds since 1970}:{index} "`, read just before it is sent |
//! | `slow-start-MS` | headers at once, the first token after that many milliseconds |
//! | `tiny-flood` | 100,000 tiny events as fast as they are taken |
//! | `cut-after-N` | N tokens, then the connection closes within a chunk |
//! | `reset-after-N` | N tokens, then the connection is reset |
//! | `ends-after-N` | N tokens, then an orderly end of the body without `finish_reason` |
//! | `stall-after-N` | N tokens, then nothing more |
//! | `comments-after-N` | N tokens, then a comment every 20 ms |
//! | `bad-json-after-N` | N tokens, then half a chunk's JSON |
//! | `error-after-N` | N tokens, then an error object |
//! | `filter-after-N` | N tokens, then `finish_reason: content_filter` |
//! | `hang-after-finish` | a whole answer with its `finish_reason`, then nothing more |
//! | `no-done`, `no-finish` | without `[DONE]`; with `[DONE]` but without `finish_reason` |
//! | `no-last-blank` | ends right after `data: [DONE]`, without a line end |
//! | `split-utf8`, `crlf`, `bom` | characters cut between packets; CRLF line ends; a byte order mark first |
//! | `nul-token` | one of the tokens has a NUL |
//! | `tools`, `reasoning` | two parallel tool calls in pieces; reasoning before the text |
//! | `huge-line`, `endless-line` | a line of 17 MiB; a line without an end |
//! | `never-answers`, `half-headers`, `headers-only` | nothing; a cut head; only a head |
//! | `endless-comments`, `comment-flood` | only comments: every 20 ms; as fast as they are taken |
//! | `reset` | the connection is reset before any header |
//! | `status-S`, `status-S-retry-N` | an error answer; with `Retry-After: N` |
//! | `echo-key` | 401 whose message holds the key that came |
//! | `json-error`, `html` | 200 with an error object as JSON; 200 with a page |
//! | `redirect` | 307 to another address |
//! | `context-length`, `filter-prompt` | the prompt is refused: too long; against the rules |
//! | `over-quota` | 429, because the quota of the account is used up |
//! | `prefill-N`, `refuses-prefill-N` | N tokens; a beginning of the answer in the request is gone on from; refused with 400 |
//! | `differs-N` | N tokens, other words than `ok-N` has for the same prompt |
//! | `other-model-N` | N tokens; says that another model answered |
//! | `slow-tokens-N-MS` | N tokens, one every MS milliseconds |
//! | `huge-event` | one token of 20 MB |
//! | `agent` | what a coding agent with a shell is answered: reasoning and two calls at once in two turns, what they printed in the third |
//! | `agent-cut` | half of that, then the connection closes |
//! | `agent-paced`, `agent-late` | in the third turn 20 tokens a second; its first one after 3 s |
//! | `seq:A\|B\|C` | the first call of this model (of `agent…`: in this turn) gets A, the next B, all others C |
//!
//! Any other model gets 404. Whatever the prompt is, the tokens derive from it: see [`expected_tokens`].

mod agent;
mod answer;
mod behaviour;
mod calls;
mod connection;
mod dialect;
mod request;
mod tokens;
mod unreachable;

use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub use calls::{Calls, ReceivedCall};
pub use dialect::Dialect;
pub use tokens::{expected_deltas, expected_tokens};
pub use unreachable::NeverAccepting;

/// The provider, running on a thread and a runtime of its own until it is dropped.
#[derive(Debug)]
pub struct MisbehavingProvider {
    address: SocketAddr,
    calls: Calls,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MisbehavingProvider {
    /// Starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where no port or no thread can be had.
    pub fn start() -> io::Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts it on that address; port 0 takes a free one.
    ///
    /// # Errors
    /// Where the address or a thread cannot be had.
    pub fn start_on(address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let calls = Calls::default();
        let log = calls.clone();
        let thread = std::thread::Builder::new().name("mock-provider".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // Either the provider was dropped, or nothing can be accepted any more.
                    _ = stopped => {}
                    _ = serve(listener, log) => {}
                }
            });
        })?;
        Ok(Self { address, calls, stop: Some(stop), thread: Some(thread) })
    }

    /// What a provider's `base_url` has to be: `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is down: every connection is reset, those of running answers included.
    pub fn set_down(&self, is_down: bool) {
        self.calls.set_down(is_down);
    }

    /// How many tried it while it was down.
    pub fn refused(&self) -> usize {
        self.calls.refused()
    }

    /// The most calls that ran at the same time.
    pub fn most_at_once(&self) -> usize {
        self.calls.most_at_once()
    }

    /// The calls that came so far, in their order.
    pub fn calls(&self) -> Vec<ReceivedCall> {
        self.calls.all()
    }
}

impl Drop for MisbehavingProvider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic on that thread has already been printed; the test fails by what it did not get.
            thread.join().ok();
        }
    }
}

async fn serve(listener: std::net::TcpListener, calls: Calls) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection::serve(stream, calls.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
