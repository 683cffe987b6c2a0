use parking_lot::Mutex;
use wordhoard_model::{KeyId, Lane, LaneSpec, ProviderName};

use crate::calls::{Pool, ProviderGates, QueueFull, Ticket};

/// The places in their providers' queues that the lanes of a request took when it was accepted.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<Vec<Option<Ticket>>>);

impl Tickets {
    /// A place for each lane; all or none.
    ///
    /// # Errors
    /// The provider whose queue is full.
    pub(crate) fn queue(
        gates: &ProviderGates,
        (pool, key): (Pool, Option<KeyId>),
        lanes: &[LaneSpec],
    ) -> Result<Self, (ProviderName, QueueFull)> {
        let place = |lane: &LaneSpec| match gates.get(&lane.model.provider) {
            Some(gate) => gate.queue(pool, key).map(Some).map_err(|full| (lane.model.provider.clone(), full)),
            None => Ok(None),
        };
        Ok(Self(Mutex::new(lanes.iter().map(place).collect::<Result<_, _>>()?)))
    }

    /// The place of a lane, once.
    pub(super) fn take(&self, lane: Lane) -> Option<Ticket> {
        self.0.lock().get_mut(usize::from(lane.0)).and_then(Option::take)
    }
}
