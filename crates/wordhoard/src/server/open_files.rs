use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open besides connections: the log, the database, connections to providers.
const RESERVED: u64 = 512;

/// Raises the limit of open files as far as the system lets us, and gives how many connections fit below it, at most
/// those wanted.
pub(super) fn room_for(wanted: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    // Without a number there is no limit.
    let room = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit.saturating_sub(RESERVED).max(limit / 2)).unwrap_or(usize::MAX)
    });
    if room < wanted {
        tracing::warn!(
            connections = room,
            wanted,
            open_files = limit,
            "the system's limit of open files allows fewer connections than limits.connections"
        );
    }
    room.min(wanted)
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_room_for_a_few_and_never_for_more_than_are_wanted() {
        assert_eq!(super::room_for(3), 3);
    }
}
