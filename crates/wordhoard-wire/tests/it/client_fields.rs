//! What becomes of each documented field of a client's request: the data, the pages made of it, and the field lists of the
//! pinned SDKs.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wordhoard_wire::{Dialect, FieldKind, client_fields};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// The pages, and what each client dialect is called there.
const PAGES: [(&str, &str, &str); 3] = [
    ("openai", "chat", "`POST /v1/chat/completions`"),
    ("openai_responses", "responses", "`POST /v1/responses`"),
    ("anthropic", "messages", "`POST /v1/messages`"),
];

/// Prints the fields of the requests that the SDKs know, by dialect.
const LIST_FIELDS: &str = "
import json
from openai.types.chat.completion_create_params import CompletionCreateParamsBase as chat
from openai.types.responses.response_create_params import ResponseCreateParamsBase as responses
from anthropic.types.message_create_params import MessageCreateParamsBase as messages
print(json.dumps({name: sorted(of.__annotations__) for name, of in
                  {'openai': chat, 'openai_responses': responses, 'anthropic': messages}.items()}))
";

fn page(dialect: &str, title: &str) -> String {
    let mut page = format!("# {title} before a provider of another dialect\n\n");
    page.push_str(
        "Made from `crates/wordhoard-wire/src/client_fields.tsv`; to accept a change, build its test with `UPDATE_FIXTURES=1`. In\n\
         the provider's own dialect every field reaches it as it came. Here stand those that are not simply honoured. *hint*: left\n\
         out and listed where the provider has nothing like it. *emulated*: done by the server where the provider cannot.\n\
         *refused*: 400 by name where the provider has nothing like it and the value is not the default; `unsupported = \"drop\"` at\n\
         the provider drops it and lists it.\n\n| field | | |\n|---|---|---|\n",
    );
    for row in client_fields().iter().filter(|row| row.dialect == dialect || row.dialect == "any") {
        let kind = match row.kind {
            FieldKind::Honoured if row.note.is_empty() => continue,
            FieldKind::Honoured => "honoured",
            FieldKind::Hint => "hint",
            FieldKind::Emulated => "emulated",
            FieldKind::Refused => "refused",
        };
        writeln!(page, "| `{}` | {kind} | {} |", row.field, row.note).unwrap();
    }
    page
}

#[test]
fn the_pages_say_what_the_data_says() {
    for (dialect, name, title) in PAGES {
        let path = Path::new(ROOT).join(format!("docs/fields-{name}.md"));
        let page = page(dialect, title);
        if option_env!("UPDATE_FIXTURES").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page, "{path:?}");
    }
}

#[test]
fn every_field_of_the_sdks_has_a_row_and_no_row_is_twice() {
    let python = Path::new(ROOT).join("target/test-venv/bin/python");
    let listed = Command::new(python).args(["-c", LIST_FIELDS]).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let fields: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let mut known = BTreeSet::new();
    for row in client_fields() {
        assert!(known.insert((row.dialect, row.field)), "{row:?} stands twice");
        assert!(row.dialect == "any" || Dialect::from_name(row.dialect).is_some(), "{row:?}");
    }
    for (dialect, ..) in PAGES {
        let listed = fields[dialect].as_array().unwrap();
        assert!(listed.len() > 10, "{dialect}: {listed:?}");
        let missing: Vec<_> =
            listed.iter().filter(|field| !known.contains(&(dialect, field.as_str().unwrap()))).collect();
        assert!(missing.is_empty(), "{dialect} has fields without a row: {missing:?}");
    }
    assert_eq!(
        include_str!("../../src/client_fields.tsv").lines().filter(|line| !line.starts_with('#')).count(),
        client_fields().len()
    );
}
