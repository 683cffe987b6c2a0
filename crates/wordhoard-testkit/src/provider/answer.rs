//! Writes an answer as HTTP/1.1 by hand: no server library would let us break it in so many ways.

mod stream;
mod whole;

use std::future::pending;
use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;

use super::ReceivedCall;
use super::behaviour::{self, Behaviour};
use super::dialect::Refusal;

/// What becomes of the connection after an answer.
pub(super) enum After {
    KeepOpen,
    Close,
    Reset,
}

const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
/// Between two comments of those that never end.
const COMMENT_INTERVAL: Duration = Duration::from_millis(20);

pub(super) async fn write(writer: &mut OwnedWriteHalf, call: &ReceivedCall) -> io::Result<After> {
    let name = behaviour::nth(&call.model, call.nth);
    let Some(behaviour) = Behaviour::of(name) else {
        return refuse(writer, call, &Refusal::NoModel(call.model.clone()), "").await;
    };
    match behaviour {
        Behaviour::Stream(_) if call.path.ends_with("/embeddings") => {
            document(writer, 200, "", &embeddings(&call.body)).await
        }
        Behaviour::Stream(_) if call.path.ends_with(":countTokens") => {
            let counted = json!({"totalTokens": call.prompt.split_whitespace().count()});
            document(writer, 200, "", &counted.to_string()).await
        }
        Behaviour::Stream(_) if call.path.ends_with("_tokens") => {
            let counted = json!({"input_tokens": call.prompt.split_whitespace().count()});
            document(writer, 200, "", &counted.to_string()).await
        }
        Behaviour::Stream(stream) if call.dialect.wants_stream(&call.path, &call.body) => {
            stream::write(writer, call, &stream).await
        }
        Behaviour::Stream(stream) => whole::write(writer, call, &stream).await,
        Behaviour::Status { status, retry_after_s } => {
            let retry = retry_after_s.map(|seconds| format!("retry-after: {seconds}\r\n"));
            let refusal = Refusal::Status(status, format!("refused with {status} on purpose"));
            refuse(writer, call, &refusal, &retry.unwrap_or_default()).await
        }
        Behaviour::EchoKey => {
            let sent = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];
            let key = sent.iter().find_map(|name| call.header(name)).unwrap_or_default();
            let key = key.strip_prefix("Bearer ").unwrap_or(key);
            let message = format!("Incorrect API key provided: {key}. You sent Authorization: Bearer {key}");
            refuse(writer, call, &Refusal::Key(message), "").await
        }
        Behaviour::ContextLength => refuse(writer, call, &Refusal::TooLong, "").await,
        Behaviour::OverQuota => refuse(writer, call, &Refusal::OverQuota, "").await,
        Behaviour::FilterPrompt => refuse(writer, call, &Refusal::Filtered, "").await,
        Behaviour::JsonError => document(writer, 200, "", &error("slow down", "rate_limit_exceeded")).await,
        Behaviour::Html => {
            let body = "<html>a captive portal</html>";
            let head = head(200, "text/html", "", body.len());
            put(writer, &[head.as_bytes(), body.as_bytes()].concat()).await?;
            Ok(After::KeepOpen)
        }
        Behaviour::Redirect => document(writer, 307, "location: http://127.0.0.1:9/elsewhere\r\n", "").await,
        Behaviour::NeverAnswers => pending().await,
        Behaviour::HalfHeaders => {
            put(writer, &STREAM_HEAD[..40]).await?;
            pending().await
        }
        Behaviour::HeadersOnly => {
            put(writer, STREAM_HEAD).await?;
            pending().await
        }
        Behaviour::EndlessComments => {
            put(writer, STREAM_HEAD).await?;
            comments(writer).await
        }
        Behaviour::CommentFlood => {
            put(writer, STREAM_HEAD).await?;
            loop {
                chunk(writer, b": keep-alive\n\n".repeat(1_000).as_slice()).await?;
            }
        }
        Behaviour::EndlessLine => {
            put(writer, STREAM_HEAD).await?;
            chunk(writer, b"data: ").await?;
            loop {
                chunk(writer, &[b'x'; 16_384]).await?;
            }
        }
        Behaviour::Reset => Ok(After::Reset),
    }
}

async fn comments(writer: &mut OwnedWriteHalf) -> io::Result<After> {
    loop {
        chunk(writer, b": keep-alive\n\n").await?;
        tokio::time::sleep(COMMENT_INTERVAL).await;
    }
}

async fn refuse(
    writer: &mut OwnedWriteHalf,
    call: &ReceivedCall,
    refusal: &Refusal,
    headers: &str,
) -> io::Result<After> {
    let (status, body) = call.dialect.refusal(refusal);
    document(writer, status, headers, &body).await
}

async fn document(writer: &mut OwnedWriteHalf, status: u16, headers: &str, body: &str) -> io::Result<After> {
    let head = head(status, "application/json", headers, body.len());
    put(writer, &[head.as_bytes(), body.as_bytes()].concat()).await?;
    Ok(After::KeepOpen)
}

fn head(status: u16, kind: &str, headers: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 {status} On Purpose\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{headers}\r\n"
    )
}

/// One for each input: how long it is, and that it was here.
fn embeddings(asked: &Value) -> String {
    let inputs = asked["input"].as_array().cloned().unwrap_or_else(|| vec![asked["input"].clone()]);
    let one = |(index, input): (usize, &Value)| {
        let length = input.as_str().map_or(0, str::len);
        json!({"object": "embedding", "index": index, "embedding": [length as f64, 0.5]})
    };
    let data: Vec<Value> = inputs.iter().enumerate().map(one).collect();
    let usage = json!({"prompt_tokens": data.len(), "total_tokens": data.len()});
    json!({"object": "list", "data": data, "model": asked["model"], "usage": usage}).to_string()
}

fn error(message: &str, code: &str) -> String {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}})
        .to_string()
}

async fn put(writer: &mut OwnedWriteHalf, bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await
}

/// Writes one chunk of a chunked body, in one write.
async fn chunk(writer: &mut OwnedWriteHalf, bytes: &[u8]) -> io::Result<()> {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    put(writer, &framed).await
}
