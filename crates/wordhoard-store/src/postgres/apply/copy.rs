//! Tokens by binary `COPY`: the quickest way for many, and all or nothing where one is there already.

use std::pin::pin;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;

use super::super::failure::Failure;
use super::super::session::Session;
use super::super::text::escape;
use super::rows::TokenRow;
use crate::Error;

pub(super) const COPY: &str =
    "COPY llm_token_log (request_id, attempt_seq, token_index, seq, at, kind, text, envelope)
    FROM STDIN WITH (FORMAT binary)";

/// Bytes in one message; while the server takes one in, the next is made.
const MESSAGE_BYTES: usize = 128 << 10;
/// The signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In place of a count of columns: no more rows.
const TRAILER: i16 = -1;
const COLUMNS: i16 = 8;
/// In place of a length: no value.
const NULL: i32 = -1;

/// Rows of one request lie together in the table and its indexes: they are read together, and the server finds the
/// page of the next row where it has just been.
pub(super) async fn copy(session: &Session, tokens: &[TokenRow<'_>]) -> Result<(), Failure> {
    let mut order: Vec<&TokenRow<'_>> = tokens.iter().collect();
    order.sort_by_key(|token| *token.id.0.as_bytes());
    let [statement] = session.statements([COPY]).await?;
    let mut sink = pin!(session.client().copy_in::<_, Bytes>(&statement).await?);
    let mut message = BytesMut::with_capacity(MESSAGE_BYTES + 4096);
    message.put_slice(HEADER);
    for token in order {
        put_row(&mut message, token);
        if message.len() >= MESSAGE_BYTES {
            sink.send(message.split().freeze()).await?;
            message.reserve(MESSAGE_BYTES + 4096);
        }
    }
    message.put_i16(TRAILER);
    sink.send(message.freeze()).await?;
    let copied = sink.finish().await?;
    if copied == tokens.len() as u64 {
        Ok(())
    } else {
        let lost = format!("{copied} of {} tokens were taken: a trigger or rule drops them", tokens.len());
        Err(Failure::Final(Error::Refused(lost)))
    }
}

fn put_row(out: &mut BytesMut, token: &TokenRow<'_>) {
    out.put_i16(COLUMNS);
    put(out, token.id.0.as_bytes());
    put(out, &token.attempt_seq.to_be_bytes());
    put(out, &token.token_index.to_be_bytes());
    put(out, &token.seq.to_be_bytes());
    put(out, &token.at.as_bytes());
    put(out, token.kind.as_bytes());
    put(out, escape(token.text.0).as_bytes());
    match token.envelope {
        Some(envelope) => put(out, escape(envelope.0).as_bytes()),
        None => out.put_i32(NULL),
    }
}

fn put(out: &mut BytesMut, value: &[u8]) {
    // A value is far shorter than 2 GiB: it was in one record of our log.
    out.put_i32(value.len() as i32);
    out.put_slice(value);
}
