use std::path::Path;
use std::process::Command;

use wordhoard_testkit::server::ServerHome;
use wordhoard_testkit::test_venv;

use crate::EXE;
use crate::seed::{Random, setting};

/// The daily run asks the same each day, so that it fails for what has changed; the soak looks for what nobody has seen yet.
const DAILY_SEED: u64 = 1_796_028_518_989_612_279;
const KEY: &str = "an-administrators-key-for-the-fuzzer";

/// Any calls that the document allows, and many that it does not: no answer is a 500, none has a status, a type or a form
/// that the document does not tell of, what it allows is taken, and what it forbids is refused. But for streams, which end when
/// their request does.
#[test]
fn the_document_and_the_server_say_the_same_of_any_call() {
    let mut home = ServerHome::new(EXE, "").unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", KEY);
    let server = home.start().unwrap();
    let test = "the_document_and_the_server_say_the_same_of_any_call";
    let long = setting("WORDHOARD_FUZZ_EXAMPLES");
    let mut random = match long {
        Some(_) => Random::from_environment(test),
        None => Random::from_environment_or(test, DAILY_SEED),
    };
    let seed = random.below(u64::from(u32::MAX));
    let examples = long.unwrap_or(20);
    let program = test_venv().unwrap().join("bin/schemathesis");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/front");
    let output = Command::new(&program)
        .env("SCHEMATHESIS_HOOKS", here.join("schemathesis_hooks.py"))
        .arg("--config-file")
        .arg(here.join("schemathesis.toml"))
        .args(["run", &format!("{}/openapi.json", server.base_url())])
        .args(["-H", &format!("Authorization: Bearer {KEY}")])
        .args(["--exclude-path-regex", "/api/llm/stream", "--request-timeout", "30", "--no-color"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["-n", &examples.to_string(), "--seed", &seed.to_string()])
        .current_dir(home.data_dir())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("generated") && server.log().unwrap().len() > 100, "nothing was called");
}

#[tokio::test]
async fn the_document_is_valid() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let document = server.client().get("/openapi.json").await.unwrap().body;
    let file = home.data_dir().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let program = test_venv().unwrap().join("bin/openapi-spec-validator");
    let output = Command::new(&program)
        .args(["--schema", "3.1", "--validation-errors", "all"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("OK"), "{said}");
}
