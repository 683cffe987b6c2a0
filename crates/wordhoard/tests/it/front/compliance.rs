//! The drop-in APIs, judged by a program that checks answers and each event of a stream against their vendors' descriptions.

use std::process::Command;

use serde_json::Value;
use wordhoard_testkit::test_venv;

use super::{DIALECTS, Front};

/// The tests of one API: all but two kinds, which another model has to answer.
struct Suite {
    format: &'static str,
    of_text: &'static [&'static str],
    of_tools: &'static str,
    of_reasoning: &'static str,
    /// The judge asks for reasoning only where the name of the model says that it has it.
    reasons: &'static str,
}

const RESPONSES: Suite = Suite {
    format: "open-responses",
    of_text: &[
        "basic-response",
        "system-prompt",
        "multi-turn",
        "streaming-response",
        "streaming-usage",
        "image-input",
        "assistant-phase",
        "response-output-phase-schema",
        "compact-response",
        "compact-missing-model",
        "error-handling",
    ],
    of_tools: "tool-calling",
    of_reasoning: "reasoning-summary",
    reasons: "gpt-5",
};
const CHAT: Suite = Suite {
    format: "openai-chat",
    of_text: &[
        "chat-basic-response",
        "chat-system-prompt",
        "chat-multi-turn",
        "chat-streaming-response",
        "chat-streaming-usage",
        "chat-image-input",
        "chat-error-handling",
    ],
    of_tools: "chat-tool-calling",
    of_reasoning: "chat-reasoning-summary",
    reasons: "gpt-5",
};
const MESSAGES: Suite = Suite {
    format: "anthropic",
    of_text: &[
        "anth-basic-response",
        "anth-system-prompt",
        "anth-multi-turn",
        "anth-streaming-response",
        "anth-streaming-usage",
        "anth-image-input",
        "anth-error-handling",
    ],
    of_tools: "anth-tool-calling",
    of_reasoning: "anth-thinking-display",
    reasons: "claude-opus",
};

#[test]
fn answers_are_what_openais_description_of_responses_has_whatever_stands_behind() {
    judge(&RESPONSES);
}

#[test]
fn answers_are_what_openais_description_of_chat_has_whatever_stands_behind() {
    judge(&CHAT);
}

#[test]
fn answers_are_what_anthropics_description_of_messages_has_whatever_stands_behind() {
    judge(&MESSAGES);
}

fn judge(suite: &Suite) {
    let alias = |dialect: &&str| format!("\"{}-of-{dialect}\" = \"{dialect}:reasoning\"\n", suite.reasons);
    let aliases: String = DIALECTS.iter().map(alias).collect();
    let front = Front::open(&format!("[aliases]\n{aliases}"));
    for dialect in DIALECTS {
        front.passes(suite.format, &format!("{dialect}:ok-20"), suite.of_text);
        front.passes(suite.format, &format!("{dialect}:tools"), &[suite.of_tools]);
        front.passes(suite.format, &format!("{}-of-{dialect}", suite.reasons), &[suite.of_reasoning]);
    }
}

impl Front {
    fn passes(&self, format: &str, model: &str, tests: &[&str]) {
        let output = Command::new(test_venv().unwrap().join("bin/llm-comply"))
            .args(["-u", &format!("{}/v1", self.server.base_url()), "-k", "any", "-m", model])
            .args(["--format", format, "--json", "--verbose", "-f", &tests.join(",")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let judged: Value = serde_json::from_str(&said)
            .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
        let failed: Vec<&Value> =
            judged["results"].as_array().unwrap().iter().filter(|one| one["status"] != "passed").collect();
        assert!(failed.is_empty(), "{format} by {model}: {failed:#?}");
        assert_eq!(judged["summary"]["passed"], tests.len(), "{format} by {model}: {said}");
    }
}
