use std::future::pending;
use std::io;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{Instant, sleep, sleep_until};
use wordhoard_model::TokenKind;

use super::{After, STREAM_HEAD, chunk, comments, put};
use crate::provider::ReceivedCall;
use crate::provider::behaviour::{Content, End, Stream, Wire};
use crate::provider::tokens::{delta, delta_body};

/// How many bytes of events a flood puts into one write.
const FLOOD_WRITE_BYTES: usize = 32 * 1024;
const HUGE_LINE_BYTES: usize = 4 << 20;
/// Long enough for the first half of a character to leave as a packet of its own.
const SPLIT_PAUSE: Duration = Duration::from_millis(2);

pub(super) async fn write(
    writer: &mut OwnedWriteHalf,
    call: &ReceivedCall,
    stream: &Stream,
) -> io::Result<After> {
    let mut out = Outlet { writer, wire: stream.wire, waiting: Vec::new() };
    put(out.writer, STREAM_HEAD).await?;
    if stream.wire == Wire::Bom {
        chunk(out.writer, b"\xef\xbb").await?;
        chunk(out.writer, b"\xbf").await?;
    }
    out.event(&chunk_body(call, &json!({"role": "assistant", "content": "", "refusal": null}), None)).await?;
    sleep(stream.start_delay).await;
    let start = Instant::now();
    for index in 0..stream.count {
        if let Some(rate) = stream.tokens_per_second {
            sleep_until(start + Duration::from_nanos(1_000_000_000 / rate) * (index as u32 + 1)).await;
        }
        let (kind, text) = match stream.content {
            Content::Stamped => (TokenKind::Text, stamp(index)),
            _ => delta(stream, &call.prompt, index),
        };
        out.event(&chunk_body(call, &delta_body(kind, &text), None)).await?;
    }
    end(&mut out, call, stream).await
}

async fn end(out: &mut Outlet<'_>, call: &ReceivedCall, stream: &Stream) -> io::Result<After> {
    let reason = if stream.content == Content::Tools { "tool_calls" } else { "stop" };
    match stream.end {
        End::Clean | End::NoDone | End::NoLastBlank | End::HangAfterFinish => {
            out.event(&chunk_body(call, &json!({}), Some(reason))).await?;
        }
        End::Filter => {
            out.event(&chunk_body(call, &json!({}), Some("content_filter"))).await?;
        }
        _ => {}
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
            out.event("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"oo").await?;
        }
        End::Error => {
            let error =
                json!({"error": {"message": "The server had an error on purpose", "type": "server_error"}});
            out.event(&error.to_string()).await?;
        }
        End::HugeLine => out.event(&"x".repeat(HUGE_LINE_BYTES)).await?,
        _ => {}
    }
    if matches!(stream.end, End::Clean | End::NoDone | End::NoLastBlank | End::Filter) {
        out.event(&usage_body(call, stream)).await?;
    }
    match stream.end {
        End::Clean | End::NoFinish | End::Filter => out.event("[DONE]").await?,
        End::NoLastBlank => chunk(out.writer, b"data: [DONE]").await?,
        _ => {}
    }
    out.flush().await?;
    put(out.writer, b"0\r\n\r\n").await?;
    Ok(After::KeepOpen)
}

/// Where events go.
struct Outlet<'a> {
    writer: &'a mut OwnedWriteHalf,
    wire: Wire,
    waiting: Vec<u8>,
}

impl Outlet<'_> {
    async fn event(&mut self, data: &str) -> io::Result<()> {
        let end = if self.wire == Wire::Crlf { "\r\n" } else { "\n" };
        let event = format!("data: {data}{end}{end}").into_bytes();
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

/// Put together as text: a bench makes tens of thousands of these a second, and a tree of values costs more.
fn chunk_body(call: &ReceivedCall, delta: &Value, finish_reason: Option<&str>) -> String {
    let model = Value::from(call.model.as_str());
    let reason = Value::from(finish_reason);
    format!(
        "{{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,\"model\":{model},\
         \"system_fingerprint\":\"fp_mock\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
         \"finish_reason\":{reason}}}],\"usage\":null}}"
    )
}

fn usage_body(call: &ReceivedCall, stream: &Stream) -> String {
    let reasoning = if stream.content == Content::Reasoning { stream.count / 2 } else { 0 };
    json!({
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": 1_764_000_000,
        "model": call.model,
        "choices": [],
        "usage": {
            "prompt_tokens": call.prompt.split_whitespace().count(),
            "completion_tokens": stream.count,
            "total_tokens": call.prompt.split_whitespace().count() as u64 + stream.count,
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        },
    })
    .to_string()
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
