//! What is told of a request, as its events come.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use wordhoard_engine::{ReadError, Subscribed, Subscription};
use wordhoard_model::{Failure, FailureClass, RequestId, Seq};
use wordhoard_providers::{Delta, Dialect, ProviderEvent};
use wordhoard_wire::openai_chat::WholeChoice;

use super::choices::Choices;
use super::relay::Said;
use crate::http::Surface;
use crate::http::problem::{Problem, ProblemKind, can_fail};

/// A request that is followed for the client of a drop-in API.
pub(super) struct Following {
    subscription: Subscription,
    pub(super) choices: Choices,
    /// What is told of the past, as long as it is not known what of it counts.
    past: Option<Past>,
    /// The server stops.
    pub(super) disconnect: CancellationToken,
}

can_fail!(Following: NoSuchRequest, Stopping);

impl Following {
    pub(super) async fn open(surface: &Surface, id: RequestId, choices: Choices) -> Result<Self, Problem> {
        match surface.engine.subscribe(id, None).await? {
            Subscribed::Following(subscription) => {
                let disconnect = surface.disconnect.clone();
                Ok(Self { subscription: *subscription, choices, past: None, disconnect })
            }
            _ => Err(Problem::no_such_request()),
        }
    }

    /// As [`Following::open`], for a client that is told the past by its outcome.
    pub(super) async fn open_folding(
        surface: &Surface,
        id: RequestId,
        dialect: Dialect,
    ) -> Result<Self, Problem> {
        let following = Self::open(surface, id, Choices::gathering(dialect)).await?;
        let past = Past { ends_at: following.subscription.visible_end(), said: Vec::new() };
        Ok(Self { past: Some(past), ..following })
    }

    /// What the next events tell; none once there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<(usize, Said)>>, ReadError> {
        let Some(events) = self.subscription.next().await? else {
            return Ok(self.past.take().map(|past| past.said));
        };
        let mut said = Vec::new();
        for event in events {
            self.choices.take(&event, &mut said);
            if let Some(past) = &mut self.past {
                past.take(&mut said);
                if past.is_over(event.seq) && self.choices.are_unbroken() {
                    self.choices.tell_from_now_on();
                    said = self.past.take().map(|past| past.said).unwrap_or_default();
                }
            }
        }
        Ok(Some(said))
    }

    /// As [`Following::next`], for a client that has no status yet: should the server stop, it is told so. Its request goes
    /// on at the next start.
    pub(super) async fn next_unless_stopped(&mut self) -> Result<Option<Vec<(usize, Said)>>, Problem> {
        let disconnect = self.disconnect.clone();
        self.next_until(pin!(disconnect.cancelled())).await
    }

    async fn next_until(
        &mut self,
        stopped: Pin<&mut WaitForCancellationFuture<'_>>,
    ) -> Result<Option<Vec<(usize, Said)>>, Problem> {
        tokio::select! {
            said = self.next() => Ok(said?),
            () = stopped => {
                let detail = "the server stops; the request goes on when it is back";
                Err(Problem::new(ProblemKind::Stopping, detail).retry_after(5))
            }
        }
    }

    /// Waits for all choices, whole.
    pub(super) async fn whole(&mut self) -> Result<Result<Vec<WholeChoice>, Failure>, Problem> {
        let mut parts: BTreeMap<usize, (Vec<Delta>, Vec<ProviderEvent>)> = BTreeMap::new();
        let mut whole = BTreeMap::new();
        let disconnect = self.disconnect.clone();
        let mut stopped = pin!(disconnect.cancelled());
        while let Some(said) = self.next_until(stopped.as_mut()).await? {
            for (choice, one) in said {
                let (deltas, events) = parts.entry(choice).or_default();
                match one {
                    Said::Delta(delta) => deltas.push(delta),
                    Said::Event(event, mut pieces) => {
                        deltas.append(&mut pieces);
                        events.push(event);
                    }
                    Said::Anew => (*deltas, *events) = Default::default(),
                    Said::AnotherCall => {}
                    Said::Completed(completion) => {
                        let model = self.choices.model(choice).unwrap_or_default().to_owned();
                        let (deltas, events) = (std::mem::take(deltas), std::mem::take(events));
                        whole.insert(choice, WholeChoice { model, deltas, events, completion: *completion });
                    }
                    Said::Failed(failure) => return Ok(Err(failure)),
                }
            }
            if whole.len() == self.choices.count() {
                return Ok(Ok(whole.into_values().collect()));
            }
        }
        Ok(Err(without_a_word()))
    }
}

/// What happened before a client came, as far as it counts.
struct Past {
    /// The first event that is none of it; none where all that there is belongs to it.
    ends_at: Option<Seq>,
    said: Vec<(usize, Said)>,
}

impl Past {
    fn take(&mut self, said: &mut Vec<(usize, Said)>) {
        for (choice, one) in said.drain(..) {
            match one {
                Said::Anew => self.said.retain(|(other, _)| *other != choice),
                one => self.said.push((choice, one)),
            }
        }
    }

    fn is_over(&self, last: Seq) -> bool {
        self.ends_at.is_some_and(|end| last.next() >= end)
    }
}

pub(super) fn without_a_word() -> Failure {
    Failure::new(FailureClass::Internal, "the request ended without a word")
}
