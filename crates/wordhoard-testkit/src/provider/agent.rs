//! What a model answers a coding agent that has a shell: two turns with two calls at once each, and what they have printed in the
//! third. Which turn it is stands in the conversation alone, so a call that is made again gets the same answer.

use serde_json::{Value, json};
use wordhoard_model::TokenKind;

/// What the commands of each turn print, and the commands: no conversation holds the words before the shell has printed them.
const TURNS: [[(&str, &str); 2]; 2] = [
    [("hoard-42", "echo hoard-$((40+2))"), ("trove-55", "echo trove-$((50+5))")],
    [("chest-66", "echo chest-$((60+6))"), ("vault-77", "echo vault-$((70+7))")],
];
/// Pieces of the last answer before its words, so that something can happen in the midst of it.
const LAST_WORDS: usize = 40;

/// The whole answer, piece by piece.
pub(super) fn deltas(body: &Value) -> Vec<(TokenKind, String)> {
    // Newer versions of Codex offer their tools in the conversation.
    let Some(shell) = shell_of(&body["tools"]).or_else(|| shell_of(&body["input"])) else {
        // A call beside the task, such as for a title.
        return vec![(TokenKind::Text, "A short title".to_owned())];
    };
    let conversation = body.to_string();
    let is_printed = |(word, _): &&(&str, &str)| conversation.contains(*word);
    let turn = turn(&conversation);
    let mut deltas: Vec<_> =
        ["Let ", "me ", "think. "].map(|text| (TokenKind::Reasoning, text.to_owned())).into();
    if turn == TURNS.len() {
        deltas.extend((0..LAST_WORDS).map(|word| (TokenKind::Text, format!("word#{word} "))));
        let printed = TURNS.iter().flatten().filter(is_printed).map(|(word, _)| *word);
        let printed: Vec<_> = printed.collect();
        deltas.push((TokenKind::Text, format!("The shell said {}.", printed.join(", "))));
        return deltas;
    }
    deltas.push((TokenKind::Text, "I look. ".to_owned()));
    for (index, (_, command)) in TURNS[turn].iter().enumerate() {
        let arguments = arguments(&shell, command);
        let (first, second) = arguments.split_at(arguments.len() / 2);
        let id = format!("call_{turn}_{index}");
        let mut begun = json!({"index": index, "id": id, "name": shell.name, "arguments": first});
        begun["takes_text"] = shell.takes_text.into();
        deltas.push((TokenKind::ToolCall, begun.to_string()));
        deltas.push((TokenKind::ToolCall, json!({"index": index, "arguments": second}).to_string()));
    }
    deltas
}

/// Which turn of the task it is, from 0.
fn turn(conversation: &str) -> usize {
    let is_over = |turn: &&[(&str, &str); 2]| turn.iter().all(|(word, _)| conversation.contains(word));
    TURNS.iter().take_while(is_over).count()
}

/// The turn of a call of a model that answers coding agents; what stands beside the task is none.
pub(super) fn turn_of(model: &str, body: &Value) -> Option<usize> {
    let is_of_task =
        model.contains("agent") && (shell_of(&body["tools"]).is_some() || shell_of(&body["input"]).is_some());
    is_of_task.then(|| turn(&body.to_string()))
}

/// Whether it is the last one.
pub(super) fn is_last_turn(body: &Value) -> bool {
    turn(&body.to_string()) == TURNS.len()
}

/// The tool that runs commands.
struct Shell {
    name: String,
    /// Whether it takes any text, and no arguments.
    takes_text: bool,
}

/// As the request offers it, in whatever place its dialect has the names.
fn shell_of(tools: &Value) -> Option<Shell> {
    const SHELLS: [&str; 6] = ["exec_command", "shell_command", "shell", "Bash", "bash", "exec"];
    match tools {
        Value::Array(all) => all.iter().find_map(shell_of),
        Value::Object(fields) => match fields.get("name").and_then(Value::as_str) {
            Some(name) if SHELLS.contains(&name) => {
                let takes_text = fields.get("type").is_some_and(|kind| kind == "custom");
                Some(Shell { name: name.to_owned(), takes_text })
            }
            _ => fields.values().find_map(shell_of),
        },
        _ => None,
    }
}

/// As the tool of that name takes a command.
fn arguments(shell: &Shell, command: &str) -> String {
    // Codex runs JavaScript, which has the shell as a function.
    let script = format!("text(await tools.exec_command({}))", json!({"cmd": command}));
    match shell.name.as_str() {
        "exec" if shell.takes_text => return script,
        "exec" => json!({"input": script}),
        "exec_command" => json!({"cmd": command}),
        "shell_command" => json!({"command": command}),
        "shell" => json!({"command": ["bash", "-lc", command]}),
        _ => json!({"command": command, "description": "Say a word"}),
    }
    .to_string()
}
