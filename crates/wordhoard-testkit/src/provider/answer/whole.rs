use std::future::pending;
use std::io;

use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::sleep;

use super::stream::{Script, last_words};
use super::{After, document, head, put};
use crate::provider::ReceivedCall;
use crate::provider::behaviour::{End, Stream};
use crate::provider::dialect::{Pieces, Refusal};

/// Writes the tokens of a stream as one body, for a caller that asked for no stream. What breaks a stream breaks the
/// body in the middle.
pub(super) async fn write(
    writer: &mut OwnedWriteHalf,
    call: &ReceivedCall,
    stream: &Stream,
) -> io::Result<After> {
    let mut pieces = Pieces::default();
    let script = Script::of(call, stream);
    for index in 0..script.count {
        let (kind, text) = script.delta(call, stream, index);
        pieces.push(kind, &text);
    }
    sleep(stream.start_delay).await;
    let (reason, counts) = last_words(call, stream);
    let mut speaker = call.dialect.speaker(call, stream.says_model.unwrap_or(&call.model));
    let body = speaker.whole(&pieces, reason, counts).to_string();
    match stream.end {
        End::Error => {
            let (status, body) =
                call.dialect.refusal(&Refusal::Status(500, "an error on purpose".to_owned()));
            document(writer, status, "", &body).await
        }
        End::BadJson => {
            let half: String = body.chars().take(body.chars().count() / 2).collect();
            document(writer, 200, "", &half).await
        }
        End::Cut | End::Reset | End::Nothing | End::Stall => {
            let head = head(200, "application/json", "", body.len());
            put(writer, &[head.as_bytes(), &body.as_bytes()[..body.len() / 2]].concat()).await?;
            match stream.end {
                End::Stall => pending().await,
                End::Reset => Ok(After::Reset),
                _ => Ok(After::Close),
            }
        }
        _ => document(writer, 200, "", &body).await,
    }
}
