//! Asking without a server: the same engine, on the same kind of data directory, in this process.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use wordhoard_engine::{Subscribed, Subscription};
use wordhoard_model::{Event, RequestId};
use wordhoard_wire::native;

use super::Events;
use crate::app::Core;
use crate::config::Config;
use crate::http;
use crate::selection::Catalogue;

pub(super) struct Local {
    core: Core,
}

impl Local {
    pub(super) async fn start(config: &Config) -> anyhow::Result<Self> {
        let core = Core::start_alone(config).await;
        let core = core
            .context("cannot run without a server; if one runs on this data directory, leave --local out")?;
        Ok(Self { core })
    }

    pub(super) async fn ask(&self, body: Map<String, Value>, config: &Config) -> anyhow::Result<Events> {
        let catalogue = Catalogue::new(config);
        let new = match http::parse_prompt(body, &catalogue, &self.core.engine, None) {
            Ok(new) => new,
            Err(broken) => {
                let told: Vec<_> =
                    broken.iter().map(|invalid| format!("{} {}", invalid.field, invalid.detail)).collect();
                bail!("{}", told.join("; "));
            }
        };
        let admitted = self.core.engine.admit(new).await?;
        let id = admitted.request_id;
        let Subscribed::Following(subscription) = self.core.engine.subscribe(id, None).await? else {
            bail!("the request cannot be followed");
        };
        let pages = futures_util::stream::try_unfold(subscription, move |mut subscription| async move {
            let Some(page) = subscription.next().await? else {
                return Ok(None);
            };
            let events: Vec<_> = page.iter().map(|event| Ok(named(id, event, &subscription))).collect();
            Ok::<_, anyhow::Error>(Some((futures_util::stream::iter(events), subscription)))
        });
        Ok(futures_util::TryStreamExt::try_flatten(pages).boxed())
    }

    pub(super) async fn stop(&self) {
        self.core.stop(Duration::ZERO).await;
    }
}

fn named(id: RequestId, event: &Event, subscription: &Subscription) -> (String, Value) {
    let label = event.body.attempt_seq().and_then(|attempt| subscription.label(attempt));
    let label = label.map(|label| native::Label { lane: label.lane, model: &label.model });
    let data = serde_json::from_str(&native::event_json(id, event, label)).unwrap_or_default();
    (event.body.name().to_owned(), data)
}
