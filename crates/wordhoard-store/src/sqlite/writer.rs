//! The one thread that writes: SQLite has one writer at a time, so we have one too, and it never waits for itself.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connection;
use crate::Error;

type Job = Box<dyn FnOnce(&mut Place) + Send>;

/// Jobs that may wait. The applier has one under way at a time; the rest are rare.
const QUEUED_JOBS: usize = 16;

#[derive(Debug)]
pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(path: &Path) -> Result<Self, Error> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUED_JOBS);
        let mut place = Place { path: path.to_owned(), connection: None };
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    job(&mut place);
                }
                if let Some(Err((_, error))) = place.connection.map(Connection::close) {
                    tracing::warn!(%error, "the database file could not be closed cleanly");
                }
            })
            .map_err(|error| {
                Error::Unavailable(format!("its writer thread could not be started: {error}"))
            })?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)) })
    }

    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    {
        let jobs = self.jobs.lock().clone().ok_or(Error::Closed)?;
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |place| {
            // The caller may have gone; the work is done all the same.
            drop(reply.send(place.run(job)));
        });
        jobs.send(job).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Lets the queued jobs finish, then ends the thread.
    pub(super) async fn close(&self) {
        self.jobs.lock().take();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && tokio::task::spawn_blocking(move || thread.join()).await.is_err()
        {
            tracing::error!("the writer thread of the database could not be joined");
        }
    }
}

/// The file, and the connection while it is known to work.
struct Place {
    path: PathBuf,
    connection: Option<Connection>,
}

impl Place {
    fn run<T>(&mut self, job: impl FnOnce(&mut Connection) -> Result<T, Error>) -> Result<T, Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            closed => closed.insert(connection::open_writer(&self.path)?),
        };
        let result = job(connection);
        if matches!(result, Err(Error::Unavailable(_))) {
            // A file that was opened while it was read-only stays so for this connection, and one that was moved
            // away is written to for ever. The next job opens what is there by then.
            self.connection = None;
        }
        result
    }
}
