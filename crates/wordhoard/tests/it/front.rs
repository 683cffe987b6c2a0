//! The drop-in APIs, with the real clients as the judge.

mod agents;
mod as_asked;
mod compliance;
mod dropped_fields;
mod embeddings;
mod erasing;
mod errors;
mod fuzz;
mod leaving;
mod matrix;
mod other_paths;
mod passing;
pub(crate) mod sdks;
mod tool_loops;
mod verbatim;

use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use crate::{EXE, ONE_CALL};

/// A provider for each dialect, named as the dialect is; all are one mock.
const DIALECTS: [&str; 5] = ["openai", "openai_responses", "anthropic", "gemini", "cohere"];

struct Front {
    mock: MisbehavingProvider,
    home: ServerHome,
    server: ServerProcess,
}

impl Front {
    fn open(further: &str) -> Self {
        let (mock, home) = Self::home(further);
        let server = home.start().unwrap();
        Self { mock, home, server }
    }

    fn home(further: &str) -> (MisbehavingProvider, ServerHome) {
        let mock = MisbehavingProvider::start().unwrap();
        let providers = providers(&mock, "");
        let nobody = if further.contains("[fallback]") { "" } else { "[fallback]\nqueue = []\n" };
        // What is no table stands before all tables.
        let parts = match further.starts_with("require_keys") {
            true => [further, &providers, nobody, ONE_CALL],
            false => [&providers, further, nobody, ONE_CALL],
        };
        (mock, ServerHome::new(EXE, &parts.concat()).unwrap())
    }
}

/// The tables of a provider for each dialect, with a further line in each.
fn providers(mock: &MisbehavingProvider, line: &str) -> String {
    let provider = |dialect: &&str| {
        format!(
            "[[providers]]\nname = {dialect:?}\ndialect = {dialect:?}\nbase_url = {:?}\nallow_private = true\n{line}\n",
            mock.base_url()
        )
    };
    DIALECTS.iter().map(provider).collect()
}
