//! What the models say: sentences from a small stock, with the words of the prompt in them.

mod stock;

use std::collections::VecDeque;

use wordhoard_model::TokenKind;
use wordhoard_wire::Delta;

/// An answer, made as it is read: it may be long.
pub(super) struct Speech {
    pub(super) deltas: Box<dyn Iterator<Item = Delta> + Send>,
    pub(super) token_count: u64,
    pub(super) reasoning_count: u64,
}

impl Speech {
    /// The same with tokens of at least so many bytes each.
    pub(super) fn padded_to(self, bytes: usize) -> Self {
        let pad = move |delta: Delta| {
            let missing = bytes.saturating_sub(delta.text.len());
            let word = delta.text.trim_end();
            let blanks = &delta.text[word.len()..];
            let text = format!("{word}{}{blanks}", ".".repeat(missing));
            Delta { text, ..delta }
        };
        Self { deltas: Box::new(self.deltas.map(pad)), ..self }
    }

    /// What comes behind that beginning of it; all of it where it does not begin so.
    pub(super) fn behind(mut self, beginning: &str) -> Self {
        let (mut spoken, mut text) = (Vec::new(), String::new());
        while text.len() < beginning.len() {
            let Some(delta) = self.deltas.next() else { break };
            if delta.kind == TokenKind::Text {
                text.push_str(&delta.text);
            }
            spoken.push(delta);
        }
        if text != beginning {
            return Self { deltas: Box::new(spoken.into_iter().chain(self.deltas)), ..self };
        }
        // Reasoning comes before the text, so all of it has been spoken.
        Self { token_count: self.token_count.saturating_sub(spoken.len() as u64), reasoning_count: 0, ..self }
    }
}

/// Says the same for the same seed.
pub(super) struct Speaker {
    dice: Dice,
    topics: Vec<String>,
}

/// How many words of a prompt are taken up.
const MAX_TOPICS: usize = 6;

impl Speaker {
    pub(super) fn new(seed: u64, prompt: &str) -> Self {
        Self { dice: Dice(seed), topics: topics(prompt) }
    }

    /// The answer of a model at its natural length.
    pub(super) fn answer(&mut self, model: &str) -> Speech {
        let (reasoning, text) = match model {
            "thoughtful" => (self.sentences(stock::REASONING, 4), self.prose(5, "\n\n")),
            "bard" => (String::new(), self.verse(3)),
            "terse" => (String::new(), self.sentences(stock::TERSE, 1)),
            _ => (String::new(), self.prose(2, " ")),
        };
        let reasoning = pieces(&reasoning, TokenKind::Reasoning);
        let text = pieces(&text, TokenKind::Text);
        Speech {
            token_count: (reasoning.len() + text.len()) as u64,
            reasoning_count: reasoning.len() as u64,
            deltas: Box::new(reasoning.into_iter().chain(text)),
        }
    }

    /// An answer of exactly that many tokens. Of `thoughtful`, the first quarter is reasoning.
    pub(super) fn answer_of_length(self, model: &str, token_count: u64) -> Speech {
        let reasoning_count = if model == "thoughtful" { token_count / 4 } else { 0 };
        let stock = if model == "bard" { stock::LINES } else { stock::BODIES };
        let deltas = Endless { speaker: self, stock, ready: VecDeque::new() };
        let deltas = (0..token_count).zip(deltas).map(move |(index, mut delta)| {
            if index < reasoning_count {
                delta.kind = TokenKind::Reasoning;
            }
            delta
        });
        Speech { deltas: Box::new(deltas), token_count, reasoning_count }
    }

    /// An announcement, then some sentences; gives the number of its tokens too.
    pub(super) fn announce(&mut self, what: &str) -> (Speech, u64) {
        let announcement = format!("I am flaky, and this time I am going to {what}.");
        let announced = pieces(&announcement, TokenKind::Text);
        let after = announced.len() as u64;
        let rest = pieces(&format!(" {}", self.sentences(stock::BODIES, 2)), TokenKind::Text);
        let speech = Speech {
            token_count: after + rest.len() as u64,
            reasoning_count: 0,
            deltas: Box::new(announced.into_iter().chain(rest)),
        };
        (speech, after)
    }

    fn prose(&mut self, bodies: usize, gap: &str) -> String {
        let opening = self.sentence(stock::OPENINGS);
        let first = self.sentences(stock::BODIES, bodies / 2 + 1);
        let second = self.sentences(stock::BODIES, bodies - bodies / 2);
        let closing = self.sentence(stock::CLOSINGS);
        [opening, first, second, closing].join(gap)
    }

    fn verse(&mut self, stanzas: usize) -> String {
        let stanzas: Vec<String> = (0..stanzas)
            .map(|_| {
                let lines: Vec<String> = (0..4).map(|_| self.sentence(stock::LINES)).collect();
                lines.join("\n")
            })
            .collect();
        stanzas.join("\n\n")
    }

    /// So many different sentences, as far as the stock goes.
    fn sentences(&mut self, stock: &[&str], count: usize) -> String {
        let start = self.dice.below(stock.len());
        let chosen: Vec<String> = (0..count).map(|i| self.fill(stock[(start + i) % stock.len()])).collect();
        chosen.join(" ")
    }

    fn sentence(&mut self, stock: &[&str]) -> String {
        let chosen = self.dice.below(stock.len());
        self.fill(stock[chosen])
    }

    /// Puts words of the prompt where the stock has `{}`.
    fn fill(&mut self, template: &str) -> String {
        let mut filled = String::new();
        for (place, part) in template.split("{}").enumerate() {
            if place > 0 {
                let chosen = self.dice.below(self.topics.len());
                filled.push_str(&self.topics[chosen]);
            }
            filled.push_str(part);
        }
        filled
    }
}

/// Sentence after sentence, without an end.
struct Endless {
    speaker: Speaker,
    stock: &'static [&'static str],
    ready: VecDeque<Delta>,
}

impl Iterator for Endless {
    type Item = Delta;

    fn next(&mut self) -> Option<Delta> {
        if self.ready.is_empty() {
            let sentence = self.speaker.sentence(self.stock);
            self.ready.extend(pieces(&format!("{sentence} "), TokenKind::Text));
        }
        self.ready.pop_front()
    }
}

/// Cuts a text into pieces of about a tokenizer's size: a word with the blanks before it, long words in two.
fn pieces(text: &str, kind: TokenKind) -> Vec<Delta> {
    const LONG_WORD_CHARS: usize = 9;
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for c in text.chars() {
        let at_word = c.is_whitespace() && !piece.is_empty() && !piece.ends_with(char::is_whitespace);
        if at_word || piece.chars().count() == LONG_WORD_CHARS {
            pieces.push(std::mem::take(&mut piece));
        }
        piece.push(c);
    }
    pieces.push(piece);
    let of_kind = |text| Delta::new(kind, text);
    pieces.into_iter().filter(|piece| !piece.is_empty()).map(of_kind).collect()
}

/// The words of a prompt that say most: the longest, in their order, without the ones that every prompt has.
fn topics(prompt: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in prompt.split(|c: char| !c.is_alphanumeric()) {
        let word: String = word.to_lowercase().chars().take(24).collect();
        if word.chars().count() > 3 && !stock::COMMON_WORDS.contains(&word.as_str()) && !words.contains(&word)
        {
            words.push(word);
        }
        if words.len() == 40 {
            break;
        }
    }
    let mut by_length = words.clone();
    by_length.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    by_length.truncate(MAX_TOPICS);
    words.retain(|word| by_length.contains(word));
    if words.is_empty() {
        words.push("this".to_owned());
    }
    words
}

/// A seed from everything that shall change an answer (FNV-1a).
pub(super) fn seed_of(parts: &[&str]) -> u64 {
    let mut seed: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            seed = (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    seed
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// A number below `bound`, which is at least 1.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text_and_topics_come_from_the_prompt() {
        let text = "Über  lighthousekeepers\n\n and 🦀s.";
        let joined: String = pieces(text, TokenKind::Text).into_iter().map(|d| d.text).collect();
        assert_eq!(joined, text);
        assert_eq!(topics("Why do lighthouses need KEEPERS, and why?"), ["lighthouses", "need", "keepers"]);
        assert_eq!(topics("why?"), ["this"]);
    }

    #[test]
    fn a_length_is_kept_exactly() {
        for (model, count) in [("brisk", 0), ("bard", 1), ("thoughtful", 1_000)] {
            let speech = Speaker::new(7, "storms at sea").answer_of_length(model, count);
            assert_eq!(speech.deltas.count() as u64, count);
        }
    }
}
