//! Tools that are no functions for their client (`custom` and `local_shell` tools, functions in a namespace): other dialects
//! get a function in their place, and the client gets the calls of that function in its own form.
//!
//! Sources: <https://platform.openai.com/docs/guides/function-calling>, custom tools;
//! <https://platform.openai.com/docs/guides/tools-local-shell>; <https://github.com/openai/codex>,
//! `codex-rs/protocol/src/models.rs`, for namespaces; <https://github.com/theopenco/llmgateway/pull/3613> and
//! <https://github.com/lidge-jun/opencodex/pull/2020>, for the tools that come as an item of the conversation, and for the
//! namespace `functions`, whose tools are called by their bare names.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use wordhoard_model::Tool;

use crate::ToolCallPiece;

/// The type of an item of a conversation that offers tools. Newer versions of Codex offer all of theirs so.
pub(crate) const ADDITIONAL_TOOLS: &str = "additional_tools";
/// The namespace of tools that are called as if they were in none.
const IMPLICIT_NAMESPACE: &str = "functions";
/// The only argument of a function that stands for a custom tool.
const INPUT: &str = "input";
/// The name of the function that stands for the local shell.
pub(crate) const LOCAL_SHELL: &str = "local_shell";
/// The longest name of a function that all providers take.
const MAX_NAME_CHARS: usize = 64;

/// What a call of a function is for the client that offered the tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToolShape {
    /// A function, in a namespace or not.
    Function { namespace: Option<String>, name: String },
    /// A tool that takes any text.
    Custom { namespace: Option<String>, name: String },
    /// The shell of the client's machine.
    LocalShell,
}

/// The tools of a request, by the names of the functions that stand for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToolShapes(HashMap<String, ToolShape>);

impl ToolShapes {
    /// Those of the tools that a client of OpenAI's dialects offers, beside its conversation or in it.
    pub(crate) fn of(tools: Option<&Value>, input: Option<&Value>) -> Self {
        let mut shapes = Self::default();
        shapes.add_all(tools, None);
        for item in input.and_then(Value::as_array).into_iter().flatten() {
            if item.get("type").is_some_and(|kind| *kind == ADDITIONAL_TOOLS) {
                shapes.add_all(item.get("tools"), None);
            }
        }
        shapes
    }

    fn add_all(&mut self, tools: Option<&Value>, namespace: Option<&str>) {
        for tool in tools.and_then(Value::as_array).into_iter().flatten() {
            let kind = tool.get("type").and_then(Value::as_str);
            // The chat dialect has what belongs to a tool in a field that is called as its type.
            let fields =
                kind.and_then(|kind| tool.get(kind)).filter(|fields| fields.is_object()).unwrap_or(tool);
            let name = fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let namespace = namespace.filter(|namespace| *namespace != IMPLICIT_NAMESPACE);
            let namespace_of_tool = namespace.map(str::to_owned);
            match kind {
                Some("namespace") => self.add_all(tool.get("tools"), Some(&name)),
                Some("custom") => {
                    let shape = ToolShape::Custom { namespace: namespace_of_tool, name: name.clone() };
                    self.0.insert(flat_name(namespace, &name), shape);
                }
                Some("local_shell") => drop(self.0.insert(LOCAL_SHELL.to_owned(), ToolShape::LocalShell)),
                Some("function") => {
                    let shape = ToolShape::Function { namespace: namespace_of_tool, name: name.clone() };
                    self.0.insert(flat_name(namespace, &name), shape);
                }
                _ => {}
            }
        }
    }

    /// What a call of the function is for the client. Some models leave the namespace out of the name; where only one tool
    /// can be meant, it is that.
    pub(crate) fn of_call(&self, function: &str) -> ToolShape {
        if let Some(shape) = self.0.get(function) {
            return shape.clone();
        }
        let mut same_name = self.0.values().filter(|shape| match shape {
            ToolShape::Function { name, .. } | ToolShape::Custom { name, .. } => name == function,
            ToolShape::LocalShell => false,
        });
        match (same_name.next(), same_name.next()) {
            (Some(shape), None) => shape.clone(),
            _ => ToolShape::Function { namespace: None, name: function.to_owned() },
        }
    }
}

/// The name of the function that stands for a tool in a namespace. One that would be too long ends in a digest of it.
pub(crate) fn flat_name(namespace: Option<&str>, name: &str) -> String {
    let Some(namespace) = namespace.filter(|namespace| *namespace != IMPLICIT_NAMESPACE) else {
        return name.to_owned();
    };
    let separator = if namespace.ends_with("__") { "" } else { "__" };
    let flat = format!("{namespace}{separator}{name}");
    if flat.chars().count() <= MAX_NAME_CHARS {
        return flat;
    }
    let start: String = flat.chars().take(MAX_NAME_CHARS - 9).collect();
    format!("{start}_{:08x}", fnv1a(flat.as_bytes()))
}

/// FNV-1a, 32 bits: the same for the same name in every version of the server, which resumed answers rely on.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// The function that stands for a custom tool. A grammar for its text can only be described.
pub(crate) fn custom_as_function(name: String, tool: &Value) -> Tool {
    let description = tool.get("description").and_then(Value::as_str);
    let grammar = tool.pointer("/format/definition").or_else(|| tool.pointer("/format/grammar/definition"));
    let syntax = tool.pointer("/format/syntax").or_else(|| tool.pointer("/format/grammar/syntax"));
    let grammar = grammar.and_then(Value::as_str).map(|definition| {
        let syntax = syntax.and_then(Value::as_str).unwrap_or("given");
        format!("The input has to match this {syntax} grammar:\n{definition}")
    });
    let described: Vec<&str> = description.into_iter().chain(grammar.as_deref()).collect();
    Tool {
        name,
        description: (!described.is_empty()).then(|| described.join("\n\n")),
        parameters: Some(json!({
            "type": "object",
            "properties": {INPUT: {"type": "string", "description": "The complete input of the tool, as plain text"}},
            "required": [INPUT],
            "additionalProperties": false,
        })),
        strict: None,
    }
}

/// The arguments of the function for a call of a custom tool.
pub(crate) fn custom_arguments(input: &str) -> String {
    json!({INPUT: input}).to_string()
}

/// Those arguments in pieces, where the text comes so: what stands before its first piece, a piece, and what stands behind its last.
pub(crate) const CUSTOM_OPENING: &str = "{\"input\":\"";
pub(crate) const CUSTOM_CLOSING: &str = "\"}";

pub(crate) fn custom_piece(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The text of a call of a custom tool; the arguments as they are where they are none of a function that stands for one.
pub(crate) fn custom_input(call: &ToolCallPiece) -> String {
    let arguments = call.arguments.as_deref().unwrap_or_default();
    let fields: Option<Map<String, Value>> = serde_json::from_str(arguments).ok();
    let input = fields.and_then(|mut fields| fields.remove(INPUT));
    match input {
        Some(Value::String(input)) => input,
        Some(other) => other.to_string(),
        None => arguments.to_owned(),
    }
}

/// The function that stands for the local shell.
pub(crate) fn local_shell_as_function() -> Tool {
    Tool {
        name: LOCAL_SHELL.to_owned(),
        description: Some("Runs a command on the user's machine and gives its output.".to_owned()),
        parameters: Some(json!({
            "type": "object",
            "properties": {
                "command": {"type": "array", "items": {"type": "string"}, "description": "The program and its arguments"},
                "working_directory": {"type": "string"},
                "timeout_ms": {"type": "integer"},
            },
            "required": ["command"],
        })),
        strict: None,
    }
}

/// What the local shell is to do: <https://platform.openai.com/docs/api-reference/responses/object>, local_shell_call.
pub(crate) fn local_shell_action(call: &ToolCallPiece) -> Value {
    let mut action = call.input();
    if let Some(command) = action.get("command").and_then(Value::as_str) {
        action["command"] = json!(["bash", "-lc", command]);
    }
    action["type"] = "exec".into();
    if !action["env"].is_object() {
        action["env"] = json!({});
    }
    action
}

/// The arguments of the function for a call of the local shell.
pub(crate) fn local_shell_arguments(action: Option<&Value>) -> String {
    let mut arguments = action.cloned().filter(Value::is_object).unwrap_or_else(|| json!({}));
    if let Some(fields) = arguments.as_object_mut() {
        fields.retain(|name, value| !matches!(name.as_str(), "type" | "env") && !value.is_null());
    }
    arguments.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_back_in_the_form_of_their_tools() {
        let tools = json!([
            {"type": "function", "name": "plain"},
            {"type": "custom", "name": "apply_patch"},
            {"type": "custom", "custom": {"name": "of_chat"}},
            {"type": "local_shell"},
            {"type": "namespace", "name": "mcp__files__", "tools": [{"type": "function", "name": "read"}]},
            {"type": "namespace", "name": "agents", "tools": [
                {"type": "function", "name": "close"}, {"type": "custom", "name": "say"},
            ]},
        ]);
        let input = json!([
            {"type": "message", "role": "user", "content": "hi"},
            {"type": "additional_tools", "role": "developer", "tools": [
                {"type": "namespace", "name": "functions", "tools": [
                    {"type": "custom", "name": "exec"}, {"type": "function", "name": "wait"},
                ]},
                {"type": "namespace", "name": "clock", "tools": [{"type": "function", "name": "sleep"}]},
            ]},
        ]);
        let shapes = ToolShapes::of(Some(&tools), Some(&input));
        let function = |namespace: Option<&str>, name: &str| ToolShape::Function {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        let custom = |namespace: Option<&str>, name: &str| ToolShape::Custom {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        for (called, expected) in [
            ("plain", function(None, "plain")),
            ("unknown", function(None, "unknown")),
            ("apply_patch", custom(None, "apply_patch")),
            ("of_chat", custom(None, "of_chat")),
            ("local_shell", ToolShape::LocalShell),
            ("mcp__files__read", function(Some("mcp__files__"), "read")),
            ("agents__close", function(Some("agents"), "close")),
            ("close", function(Some("agents"), "close")),
            ("agents__say", custom(Some("agents"), "say")),
            ("exec", custom(None, "exec")),
            ("wait", function(None, "wait")),
            ("clock__sleep", function(Some("clock"), "sleep")),
        ] {
            assert_eq!(shapes.of_call(called), expected, "{called}");
        }
    }

    #[test]
    fn long_names_stay_apart_and_fit() {
        let long = "n".repeat(60);
        let (a, b) = (flat_name(Some(&long), "read_file"), flat_name(Some(&long), "read_fild"));
        assert_ne!(a, b);
        assert_eq!((a.len(), b.len()), (MAX_NAME_CHARS, MAX_NAME_CHARS));
    }

    #[test]
    fn custom_input_survives_as_an_argument() {
        let text = "*** Begin Patch\n\"quoted\" \\ ü\n";
        let call =
            |arguments: String| ToolCallPiece { arguments: Some(arguments), ..ToolCallPiece::default() };
        assert_eq!(custom_input(&call(custom_arguments(text))), text);
        let pieces: String = ["*** Begin Patch\n\"quo", "ted\" \\ ü\n"].map(custom_piece).concat();
        assert_eq!(custom_input(&call([CUSTOM_OPENING, &pieces, CUSTOM_CLOSING].concat())), text);
        assert_eq!(custom_input(&call("not json".into())), "not json");
        let shell = call(local_shell_arguments(Some(&json!({"type": "exec", "command": ["ls"], "env": {}}))));
        assert_eq!(local_shell_action(&shell), json!({"command": ["ls"], "type": "exec", "env": {}}));
    }
}
