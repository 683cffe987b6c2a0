//! Streams that run all the time, and prompts that come and end; all of them with a ledger.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use wordhoard_testkit::client::{Client, Next};
use wordhoard_testkit::provider::expected_tokens;

use super::pace::Arrivals;
use crate::ledger::Ledger;

const STREAMS: usize = 8;
/// Longer than any test, at fifty tokens a second, each with the time at which it was sent.
pub const STREAM_MODEL: &str = "mock:paced-100000x50";
/// What fewer events than come in a second wait for SQL is usual.
pub const USUAL_BACKLOG: u64 = STREAMS as u64 * 50;
const PROMPT_INTERVAL: Duration = Duration::from_secs(1);
const SHORT_MODEL: &str = "ok-20";

/// A request and what its client saw.
#[derive(Debug, Default)]
pub struct Recorded {
    pub id: String,
    pub ledger: Ledger,
}

/// The load, until it is ended.
pub struct Load {
    client: Client,
    streams: Vec<String>,
    following: JoinSet<Recorded>,
    prompting: JoinSet<Prompted>,
    stop: watch::Sender<bool>,
    arrivals: Arc<Arrivals>,
    ended: Ended,
}

type Ended = Arc<Mutex<Vec<Arc<Recorded>>>>;

struct Prompted {
    slowest_answer: Duration,
}

impl Load {
    pub async fn start(client: &Client) -> Self {
        Self::with_streams(client, STREAMS).await
    }

    pub async fn with_streams(client: &Client, count: usize) -> Self {
        let (arrivals, ended): (Arc<Arrivals>, Ended) = Default::default();
        let (mut streams, mut following, mut prompting) = (Vec::new(), JoinSet::new(), JoinSet::new());
        for stream in 0..count {
            let id = client.submit(&format!("stream {stream}"), &[STREAM_MODEL]).await.unwrap();
            following.spawn(follow(client.clone(), id.clone(), Some(Arc::clone(&arrivals))));
            streams.push(id);
        }
        let stop = watch::Sender::new(false);
        prompting.spawn(prompt_each_second(client.clone(), stop.subscribe(), Arc::clone(&ended)));
        Self { client: client.clone(), streams, following, prompting, stop, arrivals, ended }
    }

    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// The request that ended first, which memory has let go of where SQL has it.
    pub fn oldest_ended(&self) -> Option<Arc<Recorded>> {
        self.ended.lock().unwrap().first().cloned()
    }

    /// Whether all streams and the prompts still go on; a disturbed one panics in its task.
    pub fn assert_going_on(&mut self) {
        let ended = self.following.try_join_next().map(Result::unwrap);
        assert!(ended.is_none(), "a stream has ended: {:?}", ended.unwrap().ledger.seen.last());
        assert!(self.prompting.try_join_next().map(Result::unwrap).is_none());
    }

    /// Ends it all, and gives everything that was ever seen.
    pub async fn end(self) -> Vec<Arc<Recorded>> {
        // What happened may have been over sooner than a few prompts take.
        let patience = Instant::now() + Duration::from_secs(20);
        while self.ended.lock().unwrap().len() <= 3 && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.stop.send_replace(true);
        let prompted = self.prompting.join_all().await.remove(0);
        for id in &self.streams {
            let body = serde_json::json!({});
            let answer = self.client.post(&format!("/api/llm/requests/{id}/cancel"), &body).await.unwrap();
            assert!((200..300).contains(&answer.status), "{id}: {}", answer.body);
        }
        let mut all: Vec<_> = self.following.join_all().await.into_iter().map(Arc::new).collect();
        let ended = std::mem::take(&mut *self.ended.lock().unwrap());
        println!(
            "{} prompts, all taken in and answered; the slowest 202 after {:?}",
            ended.len(),
            prompted.slowest_answer
        );
        assert!(ended.len() > 3, "too few prompts for a test");
        all.extend(ended);
        all
    }
}

async fn prompt_each_second(client: Client, mut stop: watch::Receiver<bool>, ended: Ended) -> Prompted {
    let mut answering = JoinSet::new();
    let mut ticks = tokio::time::interval(PROMPT_INTERVAL);
    let mut slowest_answer = Duration::ZERO;
    for number in 0.. {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        let prompt = format!("prompt number {number}");
        let asked = Instant::now();
        let id = client.submit(&prompt, &[&format!("mock:{SHORT_MODEL}")]).await.unwrap();
        slowest_answer = slowest_answer.max(asked.elapsed());
        let (client, ended) = (client.clone(), Arc::clone(&ended));
        answering.spawn(async move {
            let recorded = follow(client, id, None).await;
            let texts: Vec<_> = recorded.ledger.tokens().map(|token| token.data["text"].clone()).collect();
            assert_eq!(texts, expected_tokens(SHORT_MODEL, &prompt));
            ended.lock().unwrap().push(Arc::new(recorded));
        });
        while let Some(answered) = answering.try_join_next() {
            answered.unwrap();
        }
    }
    answering.join_all().await;
    Prompted { slowest_answer }
}

/// Follows a request to its end, on one connection: nothing may disturb it.
async fn follow(client: Client, id: String, arrivals: Option<Arc<Arrivals>>) -> Recorded {
    let mut ledger = Ledger::default();
    let mut stream = client.follow(&id, None).await.unwrap();
    let mut last_token = None;
    loop {
        match stream.next().await.unwrap() {
            Next::Event(event) => {
                if let Some(arrivals) = arrivals.as_ref().filter(|_| event.name == "token") {
                    last_token = Some(arrivals.note(&event, last_token));
                }
                ledger.take(event);
            }
            Next::Ended => break,
            Next::Broken => panic!("{id}: the stream broke after {} events", ledger.seen.len()),
        }
    }
    assert_undisturbed(&id, &ledger);
    Recorded { id, ledger }
}

/// One attempt, and no word of a failure.
fn assert_undisturbed(id: &str, ledger: &Ledger) {
    let framing = ledger.seen.iter().filter(|event| event.name != "token");
    let names: Vec<_> = framing.clone().map(|event| event.name.as_str()).collect();
    let whole = ["request.created", "attempt.started", "attempt.finished", "request.finished"];
    assert_eq!(names, whole, "{id}");
    for event in framing.filter(|event| event.name.ends_with(".finished")) {
        let status = event.data["status"].as_str().unwrap();
        assert!(matches!(status, "completed" | "cancelled"), "{id}: {}", event.data);
    }
}
