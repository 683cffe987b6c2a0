//! Speaking and listening: this server says that it is there, and hears who else is.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wordhoard_store::{Departure, Error};

use super::{ServerReport, ServerState};
use crate::applier::until_up;
use crate::engine::Inner;

/// How often a server says that it is there.
const BEAT_INTERVAL: Duration = Duration::from_secs(5);
/// How long SQL may take to hear it.
const BEAT_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(engine: Arc<Inner>, stop: CancellationToken) {
    let mut link = engine.applier.watch_link();
    loop {
        // A server that has just come back shall be seen at once.
        if !until_up(&mut link, &stop).await {
            return;
        }
        match tokio::time::timeout(BEAT_PATIENCE, engine.speak_and_listen()).await {
            Ok(Ok(())) => engine.applier.note_answer(),
            Ok(Err(error)) => engine.applier.doubt(error),
            Err(_) => engine.applier.doubt(Error::Unavailable("it does not answer".into())),
        }
        engine.tend_retired().await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BEAT_INTERVAL) => {}
        }
    }
}

impl Inner {
    async fn speak_and_listen(&self) -> Result<(), Error> {
        {
            let has_said_its_last = self.fleet.speaking.lock().await;
            if *has_said_its_last {
                return Ok(());
            }
            self.store.beat(self.log(), self.settings.profile.clone()).await?;
        }
        self.listen().await
    }

    /// Hears who is there, and tells what has changed.
    pub(super) async fn listen(&self) -> Result<(), Error> {
        let servers = self.store.servers().await?;
        let before = self.fleet.take_in(servers, |log| self.is_ours(log));
        for report in self.fleet.reports() {
            let known = before.iter().find(|known| known.log == report.log);
            tell_change(known, &report);
        }
        Ok(())
    }

    /// The logs that this data directory had before speak no more, and their requests are this server's: said before any of them is
    /// taken up, so that nobody retires them meanwhile.
    pub(crate) async fn succeed_former_logs(&self) -> Result<(), Error> {
        for log in &self.settings.previous_logs {
            self.store.depart(*log, Departure::Left).await?;
        }
        Ok(())
    }

    /// Says that this server goes, and how; nothing it says comes after it.
    pub(crate) async fn depart(&self, departure: Departure) -> Result<(), Error> {
        let mut has_said_its_last = self.fleet.speaking.lock().await;
        *has_said_its_last = true;
        self.store.depart(self.log(), departure).await
    }
}

fn tell_change(known: Option<&ServerReport>, report: &ServerReport) {
    let needed = known.is_some_and(ServerReport::needs_somebody);
    let (server, address) = (report.log, &report.profile.address);
    if report.needs_somebody() && !needed {
        tracing::warn!(
            %server,
            address,
            host = report.profile.host,
            state = report.state.as_str(),
            silent_seconds = report.silent_for.as_secs(),
            open_requests = report.open_requests,
            "a server on this database does not go on with its requests: start it again on its data directory, or, if it is lost, \
             `wordhoard servers retire {server}`"
        );
    } else if needed && report.state == ServerState::Running {
        tracing::info!(%server, address, "a server on this database is back");
    }
}
