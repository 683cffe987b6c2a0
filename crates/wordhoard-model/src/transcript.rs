//! A request with its texts: what a caller gets who asks for it as a whole.

use crate::{
    AttemptSeq, Event, EventBody, Lane, LaneState, RequestCreated, RequestState, Timestamp, Token,
    TokenIndex, TokenKind, Violation,
};

/// A request assembled from its events.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// The first event.
    pub created: RequestCreated,
    /// The state after the last event.
    pub state: RequestState,
    /// The texts of the attempts, in their order.
    pub attempts: Vec<AttemptTranscript>,
}

/// The texts of one attempt, each kind joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptTranscript {
    /// The answer.
    pub text: String,
    /// The reasoning.
    pub reasoning: String,
    /// The refusal.
    pub refusal: String,
    /// The fragments of tool calls, in their order.
    pub tool_calls: Vec<String>,
    /// What the provider said beside it, each a JSON object, in their order.
    pub annotations: Vec<String>,
    /// When its first token came.
    pub first_token_at: Option<Timestamp>,
    /// When its newest token came.
    pub last_token_at: Option<Timestamp>,
    /// Where in `text` each of its tokens ends, ascending.
    text_ends: Vec<(TokenIndex, usize)>,
}

impl Transcript {
    /// Begins with the first event.
    ///
    /// # Errors
    /// Where it is no `request.created`.
    pub fn begin(first: &Event) -> Result<Self, Violation> {
        let state = RequestState::begin(first)?;
        match &first.body {
            EventBody::RequestCreated(created) => {
                Ok(Self { created: (**created).clone(), state, attempts: Vec::new() })
            }
            other => Err(Violation::NotCreated(other.name())),
        }
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// Where it cannot follow the ones before it.
    pub fn apply(&mut self, event: &Event) -> Result<(), Violation> {
        self.state.apply(event)?;
        match &event.body {
            EventBody::AttemptStarted(_) => self.attempts.push(AttemptTranscript::default()),
            EventBody::Token(token) => {
                if let Some(attempt) = self.attempts.get_mut(token.attempt_seq.0 as usize - 1) {
                    attempt.push(token, event.at);
                }
            }
            EventBody::RequestCreated(_) | EventBody::AttemptFinished(_) | EventBody::RequestFinished(_) => {}
        }
        Ok(())
    }

    /// The answer of a lane: its last attempt's text, with the text of the attempts that this one continues before it.
    pub fn lane_text(&self, lane: Lane) -> String {
        let last = match self.state.lane(lane) {
            LaneState::Waiting => return String::new(),
            LaneState::Running(attempt) | LaneState::Ended(attempt, _) => attempt,
        };
        // From the last attempt back: each with the last of its tokens that counts, all of them where none is named.
        let mut chain = Vec::new();
        let mut next = Some((last, None));
        while let Some((attempt_seq, until)) = next {
            chain.push((attempt_seq, until));
            let continues = self.state.attempt(attempt_seq).and_then(|attempt| attempt.started.continues);
            // An attempt continues an earlier one only, so the chain ends.
            next = continues
                .filter(|earlier| earlier.attempt_seq < attempt_seq)
                .map(|earlier| (earlier.attempt_seq, Some(earlier.token_index)));
        }
        let texts = chain.iter().rev().filter_map(|(attempt_seq, until)| {
            let attempt = self.attempt(*attempt_seq)?;
            Some(until.map_or(attempt.text.as_str(), |until| attempt.text_until(until)))
        });
        texts.collect()
    }

    /// The texts of one attempt.
    pub fn attempt(&self, attempt: AttemptSeq) -> Option<&AttemptTranscript> {
        self.attempts.get((attempt.0 as usize).checked_sub(1)?)
    }
}

impl AttemptTranscript {
    fn push(&mut self, token: &Token, at: Timestamp) {
        self.first_token_at.get_or_insert(at);
        self.last_token_at = Some(at);
        match token.kind {
            TokenKind::Text => {
                self.text.push_str(&token.text);
                self.text_ends.push((token.token_index, self.text.len()));
            }
            TokenKind::Reasoning => self.reasoning.push_str(&token.text),
            TokenKind::Refusal => self.refusal.push_str(&token.text),
            TokenKind::ToolCall => self.tool_calls.push(token.text.clone()),
            TokenKind::Annotation => self.annotations.push(token.text.clone()),
        }
    }

    /// Where in `text` each of its tokens ends, ascending.
    pub fn text_ends(&self) -> &[(TokenIndex, usize)] {
        &self.text_ends
    }

    /// The answer up to and with that token.
    pub fn text_until(&self, last: TokenIndex) -> &str {
        let behind = self.text_ends.partition_point(|(index, _)| *index <= last);
        let end = behind.checked_sub(1).map_or(0, |place| self.text_ends[place].1);
        &self.text[..end]
    }
}
