use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::timeout;

use super::commits::{CommitCut, Commits};
use super::messages::Messages;
use super::{Mode, Shared};

/// How long a server may take over a `COMMIT` whose answer nobody gets.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);

/// Why a connection ends in disorder.
enum Cut {
    /// By the test, or because one side broke.
    Now,
    /// When the server is done with what it has got.
    WhenCommitted,
}

impl From<io::Error> for Cut {
    fn from(_: io::Error) -> Self {
        Self::Now
    }
}

/// Carries one connection to its end, whatever that is.
pub(super) async fn serve(
    number: u64,
    mut client: TcpStream,
    mut modes: watch::Receiver<Mode>,
    shared: Arc<Shared>,
) {
    let mut cut_through = shared.cut_through.subscribe();
    let mut server = None;
    let ended = async {
        if until_cut(&mut cut_through, number, flows(&mut modes)).await? == Mode::Refuse {
            return Err(Cut::Now);
        }
        // Not to be cut short: a socket that is still connecting would end in order, and not by a reset.
        let server = server.insert(TcpStream::connect(shared.target).await?);
        until_cut(&mut cut_through, number, carry(&mut client, server, modes, &shared.commits)).await
    };
    let ended = ended.await;
    if let (Err(Cut::WhenCommitted), Some(server)) = (&ended, &mut server) {
        timeout(COMMIT_PATIENCE, drain(server)).await.ok();
    }
    if ended.is_err() {
        // A socket that cannot be set so has been reset by its peer.
        client.set_zero_linger().ok();
        server.iter().for_each(|server| drop(server.set_zero_linger()));
    }
    drop((client, server));
    shared.register.close(number);
}

/// What the work gives, unless the connection of that number is cut before.
async fn until_cut<T>(
    cut_through: &mut watch::Receiver<u64>,
    number: u64,
    work: impl Future<Output = Result<T, Cut>>,
) -> Result<T, Cut> {
    tokio::select! {
        done = work => done,
        _ = cut_through.wait_for(|through| *through >= number) => Err(Cut::Now),
    }
}

/// Reads until the server closes, which it does when it has answered all that it got.
async fn drain(server: &mut TcpStream) {
    let mut answer = [0; 4096];
    while matches!(server.read(&mut answer).await, Ok(1..)) {}
}

async fn carry(
    client: &mut TcpStream,
    server: &mut TcpStream,
    modes: watch::Receiver<Mode>,
    commits: &Commits,
) -> Result<(), Cut> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let mute = AtomicBool::new(false);
    let requests = requests(from_client, to_server, modes.clone(), commits, &mute);
    let answers = answers(from_server, to_client, modes, &mute);
    tokio::try_join!(requests, answers).map(|_| ())
}

/// Waits while nothing may flow; the mode that came.
async fn flows(modes: &mut watch::Receiver<Mode>) -> Result<Mode, Cut> {
    // An error is the end of the cutter.
    modes.wait_for(|mode| *mode != Mode::Silent).await.map(|mode| *mode).map_err(|_| Cut::Now)
}

async fn requests(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut modes: watch::Receiver<Mode>,
    commits: &Commits,
    mute: &AtomicBool,
) -> Result<(), Cut> {
    let mut messages = Messages::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        flows(&mut modes).await?;
        let piece = &buffer[..read];
        if piece.is_empty() {
            to.shutdown().await?;
            return Ok(());
        }
        for commit in messages.commits(piece) {
            match commits.pass() {
                Some(CommitCut::BeforeForwarding) => {
                    to.write_all(&piece[..commit.start]).await?;
                    return Err(Cut::Now);
                }
                Some(CommitCut::AfterForwarding) => {
                    mute.store(true, Ordering::SeqCst);
                    to.write_all(piece).await?;
                    to.shutdown().await?;
                    return Err(Cut::WhenCommitted);
                }
                None => {}
            }
        }
        to.write_all(piece).await?;
    }
}

async fn answers(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut modes: watch::Receiver<Mode>,
    mute: &AtomicBool,
) -> Result<(), Cut> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        flows(&mut modes).await?;
        if mute.load(Ordering::SeqCst) {
            continue;
        }
        if read == 0 {
            to.shutdown().await?;
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
    }
}
