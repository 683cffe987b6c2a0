/// One event, as the blank line after it completed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The last `event:` field, where there was one that is not empty.
    pub event: Option<String>,
    /// The `data:` lines, joined by LF.
    pub data: String,
    /// The last `id:` field of this event.
    pub id: Option<String>,
    /// Whether it is JSON that stands in the stream without a field: no event, but some servers send such.
    pub is_bare: bool,
}

/// A stream that cannot be read on. The parser gives the same error from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A line or an event is longer than the limit.
    #[error("an event is longer than {max_event_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_event_bytes: usize,
    },
    /// A field is not valid UTF-8. The format knows no other encoding; replacing characters would alter a token.
    #[error("an event is not valid UTF-8")]
    InvalidUtf8,
}

/// Parses a stream of events from bytes that come split anywhere, also inside a character or a CRLF.
///
/// [`feed`](Parser::feed) it, then take events until there is none. Work is linear in the bytes fed: each is searched
/// for a line end once, and moved at most twice. Comments are passed over unread. Memory is bounded by the limit
/// for one event and the largest piece fed.
#[derive(Debug)]
pub struct Parser {
    max_event_bytes: usize,
    buffer: Vec<u8>,
    /// Bytes of `buffer` before this are done with.
    line_start: usize,
    /// Bytes of `buffer` before this hold no line end after `line_start`. Never less than `line_start`.
    searched: usize,
    /// Whether the first line is still to come, where a byte order mark may stand.
    at_start: bool,
    /// Whether the last line ended in CR, so that an LF right after it belongs to that end.
    after_cr: bool,
    pending: Pending,
    failed: Option<Error>,
}

/// The fields of the event that is not complete yet.
#[derive(Debug, Default)]
struct Pending {
    event: Option<String>,
    id: Option<String>,
    data: Option<String>,
    bare: Option<BareJson>,
}

/// JSON without a field, over one or more lines.
#[derive(Debug, Default)]
struct BareJson {
    /// How many objects and lists are open.
    depth: usize,
}

impl BareJson {
    fn take_line(&mut self, line: &[u8]) {
        let (mut in_string, mut escaped) = (false, false);
        for byte in line {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = in_string,
                b'"' => in_string = !in_string,
                b'{' | b'[' if !in_string => self.depth += 1,
                b'}' | b']' if !in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// Whether a line begins an object, or a list of objects; no field of the format does.
fn begins_json(line: &[u8]) -> bool {
    match line.split_first() {
        Some((b'{', _)) => true,
        Some((b'[', rest)) => {
            matches!(rest.trim_ascii_start().first(), None | Some(b'{')) || rest == b"DONE]"
        }
        _ => false,
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Parser {
    /// A parser that refuses a line or an event of more than that many bytes.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            buffer: Vec::new(),
            line_start: 0,
            searched: 0,
            at_start: true,
            after_cr: false,
            pending: Pending::default(),
            failed: None,
        }
    }

    /// Takes the next bytes of the stream in.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        // Only where at least half is done with does the rest move down: so each byte moves once on average, however
        // feeding and taking alternate.
        if self.line_start > 0 && self.line_start * 2 >= self.buffer.len() {
            self.buffer.drain(..self.line_start);
            self.searched -= self.line_start;
            self.line_start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete event, or none until more bytes come.
    ///
    /// # Errors
    /// Why the stream cannot be read on. Events before the fault were given before it.
    pub fn next_event(&mut self) -> Result<Option<Event>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let event = self.scan();
        if let Err(error) = event {
            self.fail(error);
        }
        event
    }

    /// What stands unfinished at the end of the stream, taken as if a blank line had followed.
    ///
    /// The standard drops it. A dialect that can tell a whole payload from half of one may still use it: some
    /// servers end their body without the last blank line.
    ///
    /// # Errors
    /// As [`next_event`](Parser::next_event).
    pub fn take_unfinished(&mut self) -> Result<Option<Event>, Error> {
        self.feed(b"\n\n");
        self.next_event()
    }

    fn scan(&mut self) -> Result<Option<Event>, Error> {
        while let Some((line, next)) = self.next_line()? {
            let ended_in_cr = self.buffer[line.end] == b'\r';
            let event = if line.is_empty() {
                self.pending.complete()
            } else {
                let max = self.max_event_bytes;
                self.pending.take_line(&self.buffer[line], max)?
            };
            self.line_start = next;
            self.searched = next;
            self.after_cr = ended_in_cr;
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    /// The place of the next whole line, without its end, and of what follows the end.
    fn next_line(&mut self) -> Result<Option<(std::ops::Range<usize>, usize)>, Error> {
        if self.after_cr && self.line_start < self.buffer.len() {
            self.after_cr = false;
            if self.buffer[self.line_start] == b'\n' {
                self.line_start += 1;
                self.searched = self.line_start;
            }
        }
        if self.at_start && !self.skip_byte_order_mark() {
            return Ok(None);
        }
        let found = memchr::memchr2(b'\r', b'\n', &self.buffer[self.searched..]);
        let end = found.map_or(self.buffer.len(), |offset| self.searched + offset);
        if end - self.line_start > self.max_event_bytes {
            return Err(self.too_large());
        }
        self.searched = end;
        Ok(found.map(|_| (self.line_start..end, end + 1)))
    }

    /// Whether the start is decided: a byte order mark passed over, or none there.
    fn skip_byte_order_mark(&mut self) -> bool {
        if self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.line_start = BYTE_ORDER_MARK.len();
            self.searched = self.line_start;
        } else if BYTE_ORDER_MARK.starts_with(&self.buffer) {
            return false;
        }
        self.at_start = false;
        true
    }

    fn too_large(&self) -> Error {
        Error::TooLarge { max_event_bytes: self.max_event_bytes }
    }

    fn fail(&mut self, error: Error) {
        self.failed = Some(error);
        self.buffer = Vec::new();
        self.pending = Pending::default();
    }
}

impl Pending {
    /// Takes a line in; gives the event that is whole with it, which only bare JSON is without a blank line.
    fn take_line(&mut self, line: &[u8], max_event_bytes: usize) -> Result<Option<Event>, Error> {
        if self.bare.is_some() || begins_json(line) {
            self.add_data(line, max_event_bytes)?;
            let bare = self.bare.get_or_insert_default();
            bare.take_line(line);
            return Ok(if bare.depth == 0 { self.complete() } else { None });
        }
        let (name, value) = match memchr::memchr(b':', line) {
            Some(0) => return Ok(None),
            Some(colon) => {
                let value = &line[colon + 1..];
                (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &[][..]),
        };
        let text = || std::str::from_utf8(value).map_err(|_| Error::InvalidUtf8);
        match name {
            b"data" => self.add_data(value, max_event_bytes)?,
            // No field of the format, but one in which servers tell that they failed.
            b"error" => {
                self.event = Some("error".to_owned());
                self.add_data(value, max_event_bytes)?;
            }
            b"event" => self.event = Some(text()?.to_owned()).filter(|name| !name.is_empty()),
            // An id with NUL is passed over, as the standard says.
            b"id" if !value.contains(&0) => self.id = Some(text()?.to_owned()),
            // `retry` is the client's own affair; unknown fields are passed over.
            _ => {}
        }
        Ok(None)
    }

    fn add_data(&mut self, value: &[u8], max_event_bytes: usize) -> Result<(), Error> {
        let text = std::str::from_utf8(value).map_err(|_| Error::InvalidUtf8)?;
        let so_far = self.data.as_ref().map_or(0, |data| data.len() + 1);
        if so_far + text.len() > max_event_bytes {
            return Err(Error::TooLarge { max_event_bytes });
        }
        match &mut self.data {
            Some(data) => {
                data.push('\n');
                data.push_str(text);
            }
            None => self.data = Some(text.to_owned()),
        }
        Ok(())
    }

    /// The event, if it has data; without data it is dropped, as the standard says.
    fn complete(&mut self) -> Option<Event> {
        let Self { event, id, data, bare } = std::mem::take(self);
        data.map(|data| Event { event, data, id, is_bare: bare.is_some() })
    }
}

#[cfg(test)]
mod tests;
