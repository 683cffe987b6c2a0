use crate::{
    Position, ReleaseError, Released, State,
    error::{During, Operation},
    shared::Shared,
};

/// Removes whole segments below `through`. Each unlink is made durable before the next, so that a crash leaves no
/// gap between segments that recovery would have to take for damage.
pub(super) fn release(shared: &Shared, through: Position) -> Result<Released, ReleaseError> {
    if matches!(shared.progress.borrow().state, State::Closed) {
        return Err(ReleaseError::Closed);
    }
    let durable = shared.durable();
    if through > durable {
        return Err(ReleaseError::NotDurable { through, durable });
    }
    let mut released = Released { first: shared.catalog.first(), ..Released::default() };
    let segments = shared.catalog.all();
    for pair in segments.windows(2) {
        // Records between two segments are damaged; they go with the earlier one.
        let [segment, next] = pair else { break };
        if next.base > through {
            break;
        }
        // Out of the catalog first: a reader that finds no file then knows why.
        shared.catalog.remove(segment);
        if let Err(fault) = shared.disk.remove(&segment.name).during(Operation::Remove, &segment.name) {
            shared.catalog.put_back(segment);
            return Err(fault.into());
        }
        released.segments += 1;
        released.size_bytes += segment.size_bytes();
        released.first = next.base;
        if let Err(order) = shared.marks.lock().advance_released(next.base) {
            tracing::error!(error = %order, "released mark");
        }
        shared.disk.sync_directory().during(Operation::SyncDirectory, &segment.name)?;
    }
    Ok(released)
}
