use std::io::{self, Write};

use serde_json::Value;

/// The answers of all lanes, gathered from events.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) lanes: Vec<Answer>,
    /// The request has ended, so nothing more comes in any lane.
    finished: bool,
    /// Lanes below this are printed whole.
    printed_lanes: usize,
    /// Bytes of the next lane that are printed.
    printed_bytes: usize,
}

/// One lane.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) model: String,
    pub(super) text: String,
    pub(super) reasoning: String,
    /// `completed`, `failed: …`; empty while it runs.
    pub(super) end: String,
    completed: bool,
}

impl Answers {
    pub(super) fn take(&mut self, name: &str, data: &Value) {
        match name {
            "request.created" => {
                let models = data["models"].as_array().cloned().unwrap_or_default();
                let answer = |model: Value| Answer { model: text(&model), ..Answer::default() };
                self.lanes = models.into_iter().map(answer).collect();
            }
            "attempt.started" => {
                // An attempt that goes on from the text before it stands behind it; any other replaces it, and what was
                // shown of that stays readable.
                if let Some(answer) = self.lane(data) {
                    let replaces = data["continues"].is_null() && !answer.text.is_empty();
                    if replaces {
                        let who = data["model"].as_str().unwrap_or("it");
                        answer.text.push_str(&format!("\n[{}; {who} answers from the start]\n", answer.end));
                    }
                    answer.end.clear();
                }
            }
            "token" => {
                if let Some(answer) = self.lane(data) {
                    match data["kind"].as_str() {
                        Some("reasoning") => answer.reasoning.push_str(&text(&data["text"])),
                        // What a provider says beside its answer is for programs.
                        Some("annotation") => {}
                        _ => answer.text.push_str(&text(&data["text"])),
                    }
                }
            }
            "attempt.finished" => {
                if let Some(answer) = self.lane(data) {
                    let status = text(&data["status"]);
                    answer.completed = status == "completed";
                    answer.end = match data["error"]["message"].as_str() {
                        Some(message) => format!("{status}: {message}"),
                        None => status,
                    };
                }
            }
            "request.finished" => self.finished = true,
            _ => {}
        }
    }

    fn lane(&mut self, data: &Value) -> Option<&mut Answer> {
        self.lanes.get_mut(usize::try_from(data["lane"].as_u64()?).ok()?)
    }

    pub(super) fn all_completed(&self) -> bool {
        !self.lanes.is_empty() && self.lanes.iter().all(|answer| answer.completed)
    }

    /// Prints the lanes in their order, each as far as it has come; the next begins when the one before it has ended.
    pub(super) fn print_ready(&mut self, out: &mut impl Write) -> io::Result<()> {
        while let Some(answer) = self.lanes.get(self.printed_lanes) {
            // Behind a failed attempt there may be another one: by a retry, a fallback, or after a restart.
            let ended = answer.completed || self.finished;
            if self.printed_bytes == 0 && (ended || !answer.text.is_empty()) {
                let gap = if self.printed_lanes == 0 { "" } else { "\n" };
                writeln!(out, "{gap}## {}\n", answer.model)?;
            }
            write!(out, "{}", &answer.text[self.printed_bytes..])?;
            self.printed_bytes = answer.text.len();
            out.flush()?;
            if !ended {
                return Ok(());
            }
            writeln!(out)?;
            if !answer.completed {
                writeln!(out, "[{}]", answer.end)?;
            }
            self.printed_lanes += 1;
            self.printed_bytes = 0;
        }
        Ok(())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(text: &str) -> Value {
        json!({ "lane": 0, "kind": "text", "text": text })
    }

    #[test]
    fn an_answer_that_begins_anew_says_so_and_one_that_goes_on_does_not() {
        let mut answers = Answers::default();
        answers.take("request.created", &json!({ "models": ["a:x"] }));
        answers.take("attempt.started", &json!({ "lane": 0, "model": "a:x", "continues": null }));
        answers.take("token", &token("one "));
        let failed = json!({ "lane": 0, "status": "failed", "error": { "message": "it broke" } });
        answers.take("attempt.finished", &failed);
        let goes_on =
            json!({ "lane": 0, "model": "a:x", "continues": { "attempt_seq": 1, "token_index": 0 } });
        answers.take("attempt.started", &goes_on);
        answers.take("token", &token("two "));
        answers.take("attempt.finished", &failed);
        answers.take("attempt.started", &json!({ "lane": 0, "model": "b:y", "continues": null }));
        answers.take("token", &token("uno"));
        answers.take("token", &json!({ "lane": 0, "kind": "annotation", "text": "{}" }));
        let mut out = Vec::new();
        answers.print_ready(&mut out).unwrap();
        let expected = "## a:x\n\none two \n[failed: it broke; b:y answers from the start]\nuno";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(!answers.all_completed());
        answers.take("attempt.finished", &json!({ "lane": 0, "status": "completed" }));
        assert!(answers.all_completed());
    }
}
