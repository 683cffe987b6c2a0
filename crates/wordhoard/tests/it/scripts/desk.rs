use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// So long an answer takes, so that it can be seen who asks.
const PAUSE: Duration = Duration::from_millis(60);

/// A server that gives these answers, one after the other, and notes what it was asked. Status 0 is none: the connection
/// is closed. Once it has no more answers, or is dropped, it is gone.
pub(super) struct Desk {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    thread: Option<JoinHandle<()>>,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Method and path.
    pub(super) line: String,
    pub(super) authorization: String,
    pub(super) body: String,
}

impl Desk {
    pub(super) fn open(answers: &[(u16, &str)]) -> Self {
        let mut answers: VecDeque<_> =
            answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&calls);
        let thread = thread::spawn(move || {
            while let Some((status, body)) = answers.pop_front() {
                let Ok((stream, _)) = listener.accept() else { return };
                let Some(call) = read(&stream) else { return };
                noted.lock().unwrap().push(call);
                thread::sleep(PAUSE);
                answer(stream, status, &body);
            }
        });
        Self { address, calls, thread: Some(thread) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // A connection that asks nothing lets it go.
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn read(stream: &TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut authorization, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => value.clone_into(&mut authorization),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = line.rsplit_once(" HTTP/").map(|(line, _)| line.to_owned())?;
    Some(Call { line, authorization, body: String::from_utf8(body).ok()? })
}

fn answer(mut stream: TcpStream, status: u16, body: &str) {
    if status == 0 {
        return;
    }
    let length = body.len();
    // A script that was killed reads no answer.
    drop(write!(
        stream,
        "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ));
}
