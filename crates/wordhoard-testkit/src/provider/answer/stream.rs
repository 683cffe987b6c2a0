use std::future::pending;
use std::io;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{Instant, sleep, sleep_until};
use wordhoard_model::TokenKind;

use super::{After, STREAM_HEAD, chunk, comments, put, refuse};
use crate::provider::behaviour::{Content, End, Prefill, Stream, Wire};
use crate::provider::dialect::{Counts, Frame, Reason, Refusal, Speaker};
use crate::provider::tokens::delta;
use crate::provider::{ReceivedCall, agent};

/// How many bytes of events a flood puts into one write.
const FLOOD_WRITE_BYTES: usize = 32 * 1024;
const HUGE_LINE_BYTES: usize = 17 << 20;
/// Long enough for the first half of a character to leave as a packet of its own.
const SPLIT_PAUSE: Duration = Duration::from_millis(2);

pub(super) async fn write(
    writer: &mut OwnedWriteHalf,
    call: &ReceivedCall,
    stream: &Stream,
) -> io::Result<After> {
    let so_far = call.dialect.answer_so_far(&call.body);
    if so_far.is_some() && stream.prefill == Prefill::Refused {
        return refuse(writer, call, &Refusal::Prefill, "").await;
    }
    let first = match so_far {
        Some(so_far) if stream.prefill == Prefill::Honoured => place_behind(&so_far, stream, &call.prompt),
        _ => 0,
    };
    let mut speaker = call.dialect.speaker(call, stream.says_model.unwrap_or(&call.model));
    let mut out = Outlet { writer, wire: stream.wire, waiting: Vec::new() };
    put(out.writer, STREAM_HEAD).await?;
    if stream.wire == Wire::Bom {
        chunk(out.writer, b"\xef\xbb").await?;
        chunk(out.writer, b"\xbf").await?;
    }
    out.frames(speaker.opening()).await?;
    let script = Script::of(call, stream);
    let is_paced = stream.content != Content::Agent || agent::is_last_turn(&call.body);
    if is_paced {
        sleep(stream.start_delay).await;
    }
    let start = Instant::now();
    for index in first..script.count {
        if let Some(rate) = stream.tokens_per_second.filter(|_| is_paced) {
            let place = (index - first) as u32 + 1;
            sleep_until(start + Duration::from_nanos(1_000_000_000 / rate) * place).await;
        }
        let (kind, text) = match stream.content {
            Content::Stamped => (TokenKind::Text, stamp(index)),
            _ => script.delta(call, stream, index),
        };
        out.frames(speaker.token(kind, &text)).await?;
    }
    end(&mut out, call, stream, &mut *speaker).await
}

/// The tokens of a stream.
pub(super) struct Script {
    /// How many are sent.
    pub(super) count: u64,
    /// Those of a coding agent's answer, all of them.
    agents: Vec<(TokenKind, String)>,
}

impl Script {
    pub(super) fn of(call: &ReceivedCall, stream: &Stream) -> Self {
        if stream.content != Content::Agent {
            return Self { count: stream.count, agents: Vec::new() };
        }
        let agents = agent::deltas(&call.body);
        let count = agents.len() as u64;
        Self { count: if stream.end == End::Cut { count / 2 } else { count }, agents }
    }

    pub(super) fn delta(&self, call: &ReceivedCall, stream: &Stream, index: u64) -> (TokenKind, String) {
        match self.agents.get(index as usize) {
            Some(delta) => delta.clone(),
            None => delta(stream, &call.prompt, index),
        }
    }
}

/// The token behind a beginning of the answer; the first one where it is none. Blanks at its end do not count: some
/// dialects allow none there.
fn place_behind(so_far: &str, stream: &Stream, prompt: &str) -> u64 {
    let mut text = String::new();
    for index in 0..stream.count {
        text.push_str(&delta(stream, prompt, index).1);
        if text.trim_end() == so_far.trim_end() {
            return index + 1;
        }
    }
    0
}

/// Why the answer ends where it is whole, and what it took.
pub(super) fn last_words(call: &ReceivedCall, stream: &Stream) -> (Reason, Counts) {
    let counts = Counts {
        input: call.prompt.split_whitespace().count() as u64,
        output: stream.count,
        reasoning: if stream.content == Content::Reasoning { stream.count / 2 } else { 0 },
    };
    let reason = match (stream.end, stream.content) {
        (End::Filter, _) => Reason::Filter,
        (_, Content::Tools) => Reason::ToolCalls,
        (_, Content::Agent) if calls_tools(&call.body) => Reason::ToolCalls,
        _ => Reason::Stop,
    };
    (reason, counts)
}

fn calls_tools(body: &Value) -> bool {
    agent::deltas(body).iter().any(|(kind, _)| *kind == TokenKind::ToolCall)
}

async fn end(
    out: &mut Outlet<'_>,
    call: &ReceivedCall,
    stream: &Stream,
    speaker: &mut dyn Speaker,
) -> io::Result<After> {
    let (reason, counts) = last_words(call, stream);
    if matches!(stream.end, End::Clean | End::NoDone | End::NoLastBlank | End::HangAfterFinish | End::Filter)
    {
        out.frames(speaker.reason(reason, counts)).await?;
    }
    match stream.end {
        End::HangAfterFinish | End::Stall => {
            out.flush().await?;
            return pending().await;
        }
        End::Comments => return comments(out.writer).await,
        End::Cut => {
            put(out.writer, b"40\r\ndata: {\"choices\":[{\"in").await?;
            return Ok(After::Close);
        }
        End::Reset => {
            // What was written must arrive first: a reset throws away what the peer has not read.
            sleep(Duration::from_millis(50)).await;
            return Ok(After::Reset);
        }
        End::BadJson => {
            let mut frames = speaker.token(TokenKind::Text, "oops");
            if let Some(frame) = frames.last_mut() {
                frame.data.truncate(frame.data.len() / 2);
            }
            out.frames(frames).await?;
        }
        End::Error => out.frames(speaker.error()).await?,
        End::HugeLine => huge_line(out.writer).await?,
        _ => {}
    }
    if matches!(stream.end, End::Clean | End::NoDone | End::NoLastBlank | End::Filter) {
        out.frames(speaker.usage(counts)).await?;
    }
    match stream.end {
        End::Clean | End::NoFinish | End::Filter => out.frames(speaker.terminal()).await?,
        End::NoLastBlank => {
            for frame in speaker.terminal() {
                chunk(out.writer, event_of(&frame, "\n").trim_end().as_bytes()).await?;
            }
        }
        _ => {}
    }
    out.flush().await?;
    put(out.writer, b"0\r\n\r\n").await?;
    Ok(After::KeepOpen)
}

/// In pieces, as such a line would come: were it made whole first, the provider would be silent for as long.
async fn huge_line(writer: &mut OwnedWriteHalf) -> io::Result<()> {
    let piece = vec![b'x'; 1 << 20];
    chunk(writer, b"data: ").await?;
    for _ in 0..HUGE_LINE_BYTES / piece.len() {
        chunk(writer, &piece).await?;
    }
    chunk(writer, b"\n\n").await
}

/// An event, with these line ends.
fn event_of(frame: &Frame, end: &str) -> String {
    let name = frame.event.map(|name| format!("event: {name}{end}")).unwrap_or_default();
    format!("{name}data: {}{end}{end}", frame.data)
}

/// Where events go.
struct Outlet<'a> {
    writer: &'a mut OwnedWriteHalf,
    wire: Wire,
    waiting: Vec<u8>,
}

impl Outlet<'_> {
    async fn frames(&mut self, frames: Vec<Frame>) -> io::Result<()> {
        for frame in frames {
            self.event(frame.event, &frame.data).await?;
        }
        Ok(())
    }

    async fn event(&mut self, name: Option<&'static str>, data: &str) -> io::Result<()> {
        let end = if self.wire == Wire::Crlf { "\r\n" } else { "\n" };
        let event = event_of(&Frame { event: name, data: data.to_owned() }, end).into_bytes();
        match self.wire {
            Wire::Plain | Wire::Crlf | Wire::Bom => chunk(self.writer, &event).await,
            Wire::SplitCharacters => {
                let inside = event.iter().position(|byte| *byte >= 0xc0).map_or(1, |place| place + 1);
                chunk(self.writer, &event[..inside]).await?;
                sleep(SPLIT_PAUSE).await;
                chunk(self.writer, &event[inside..]).await
            }
            Wire::Flood => {
                self.waiting.extend_from_slice(&event);
                if self.waiting.len() >= FLOOD_WRITE_BYTES {
                    self.flush().await?;
                }
                Ok(())
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        chunk(self.writer, &std::mem::take(&mut self.waiting)).await
    }
}

fn stamp(index: u64) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a bench compares it with its own reading of the same clock"
    )]
    let now = SystemTime::now();
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}:{index} ", since_1970.as_nanos())
}
