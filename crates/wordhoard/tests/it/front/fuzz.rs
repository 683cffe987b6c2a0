use std::path::Path;
use std::process::Command;

use wordhoard_testkit::server::ServerHome;

use crate::EXE;
use crate::seed::{Random, setting};

const KEY: &str = "an-administrators-key-for-the-fuzzer";

/// Any calls that the document allows, and many that it does not: no answer is a 500, and none has a status or a type
/// that the document does not tell of. But for streams, which end when their request does.
#[test]
fn no_call_is_a_500_and_no_answer_is_undocumented() {
    let mut home = ServerHome::new(EXE, "").unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", KEY);
    let server = home.start().unwrap();
    let seed =
        Random::from_environment("no_call_is_a_500_and_no_answer_is_undocumented").below(u64::from(u32::MAX));
    let examples = setting("WORDHOARD_FUZZ_EXAMPLES").unwrap_or(20);
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-venv/bin/schemathesis");
    let output = Command::new(&program)
        .arg("run")
        .arg(format!("{}/openapi.json", server.base_url()))
        .args(["-H", &format!("Authorization: Bearer {KEY}")])
        .args(["--exclude-path-regex", "/api/llm/stream", "--request-timeout", "30", "--no-color"])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"])
        .args(["-n", &examples.to_string(), "--seed", &seed.to_string()])
        .current_dir(home.data_dir())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run scripts/install-test-deps.sh", program.display()));
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("generated") && server.log().unwrap().len() > 100, "nothing was called");
}
