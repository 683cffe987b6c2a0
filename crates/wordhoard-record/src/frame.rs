//! What one read from a provider completed.

use wordhoard_model::{AttemptSeq, RequestId, Seq, Timestamp, TokenIndex, TokenKind};

use crate::bytes::{Bytes, put_number};
use crate::place::{put_time, take_id, take_time};
use crate::{Error, Kind};

/// Where a frame's tokens stand. Their `seq` and `token_index` count up from the first without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// The attempt that received them.
    pub attempt_seq: AttemptSeq,
    /// The first one's place within the attempt.
    pub first_token_index: TokenIndex,
    /// The first one's place within the request.
    pub first_seq: Seq,
    /// When they were recorded.
    pub at: Timestamp,
}

/// A token, within its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// What it is a piece of.
    pub kind: TokenKind,
    /// Which of several answers of one call it belongs to.
    pub choice: u32,
    /// The piece itself.
    pub text: &'a str,
}

/// Numbers on disk; 7 is for kinds that are to come.
const KINDS: [TokenKind; 5] =
    [TokenKind::Text, TokenKind::Reasoning, TokenKind::ToolCall, TokenKind::Refusal, TokenKind::Annotation];
const KIND_BITS: u8 = 0b0111;
const HAS_CHOICE: u8 = 0b1000;

/// Appends the payload of a frame: at least one token, and the coded events that they stood in, where those are kept.
pub fn encode(
    out: &mut Vec<u8>,
    id: RequestId,
    head: FrameHead,
    pieces: &[Piece<'_>],
    events: Option<&[u8]>,
) {
    out.extend_from_slice(id.as_bytes());
    put_number(out, head.attempt_seq.0.into());
    put_number(out, head.first_token_index.0);
    put_number(out, head.first_seq.0);
    put_time(out, id, head.at);
    put_number(out, pieces.len() as u64);
    let mut choice = 0;
    for piece in pieces {
        let kind = KINDS.iter().position(|kind| *kind == piece.kind).unwrap_or_default() as u8;
        let is_other = piece.choice != choice;
        out.push(if is_other { kind | HAS_CHOICE } else { kind });
        if is_other {
            put_number(out, piece.choice.into());
            choice = piece.choice;
        }
        put_number(out, piece.text.len() as u64);
    }
    for piece in pieces {
        out.extend_from_slice(piece.text.as_bytes());
    }
    out.extend_from_slice(events.unwrap_or_default());
}

/// A frame as it stands in a record. What it gives was checked when it was read.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Whose.
    pub id: RequestId,
    /// Where its tokens stand.
    pub head: FrameHead,
    token_count: u64,
    /// Kind, choice and length of each token.
    shapes: Bytes<'a>,
    texts: &'a str,
    events: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// `Malformed` where it is no frame, `Unknown` where a token is of a kind that this server does not know.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Error> {
        let mut bytes = Bytes(payload);
        let id = take_id(&mut bytes)?;
        let head = FrameHead {
            attempt_seq: AttemptSeq(
                u32::try_from(bytes.number()?)
                    .map_err(|_| Error::malformed("an attempt_seq is too large"))?,
            ),
            first_token_index: TokenIndex(bytes.number()?),
            first_seq: Seq(bytes.number()?),
            at: take_time(&mut bytes, id)?,
        };
        let token_count = bytes.number()?;
        let ends = [head.first_seq.0, head.first_token_index.0].map(|first| first.checked_add(token_count));
        if token_count == 0 || ends.contains(&None) {
            return Err(Error::malformed("a frame has no tokens, or more than can be counted"));
        }
        let shapes = bytes;
        let mut text_bytes = 0_usize;
        for _ in 0..token_count {
            let (_, length) = shape(&mut bytes, &mut 0)?;
            text_bytes =
                text_bytes.checked_add(length).ok_or_else(|| Error::malformed("a text is too long"))?;
        }
        let texts = bytes.text(text_bytes)?;
        let frame = Self { id, head, token_count, shapes, texts, events: bytes.0 };
        let mut end = 0;
        let mut lengths = frame.shapes;
        for _ in 0..token_count {
            end += shape(&mut lengths, &mut 0)?.1;
            if !texts.is_char_boundary(end) {
                return Err(Error::malformed("a text is not UTF-8"));
            }
        }
        Ok(frame)
    }

    /// How many tokens it has, at least one.
    pub fn token_count(&self) -> u64 {
        self.token_count
    }

    /// Its tokens.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'a>> + use<'a> {
        let (mut shapes, mut choice, mut rest) = (self.shapes, 0, self.texts);
        (0..self.token_count).map_while(move |_| {
            let (kind, length) = shape(&mut shapes, &mut choice).ok()?;
            let text;
            (text, rest) = rest.split_at_checked(length)?;
            Some(Piece { kind, choice, text })
        })
    }

    /// The coded events that its tokens stood in; none where they are not kept.
    pub fn events(&self) -> Option<&'a [u8]> {
        Some(self.events).filter(|events| !events.is_empty())
    }
}

/// Kind and length of the next token; its choice where it is another than that of the one before.
fn shape(bytes: &mut Bytes<'_>, choice: &mut u32) -> Result<(TokenKind, usize), Error> {
    let head = bytes.byte()?;
    let known = KINDS.get(usize::from(head & KIND_BITS)).filter(|_| head & !(KIND_BITS | HAS_CHOICE) == 0);
    let kind = *known.ok_or(Error::Unknown { kind: Kind::Frame.number(), version: crate::VERSION })?;
    if head & HAS_CHOICE != 0 {
        *choice = u32::try_from(bytes.number()?).map_err(|_| Error::malformed("a choice is too large"))?;
    }
    Ok((kind, bytes.length()?))
}
