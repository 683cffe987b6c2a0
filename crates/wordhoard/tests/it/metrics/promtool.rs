//! Prometheus' own tool on what we give it. `scripts/install-test-deps.sh` brings it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use wordhoard_testkit::server::ServerHome;

use super::page::text;
use crate::EXE;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn promtool(arguments: &[&str], input: &str) -> Output {
    let program = Path::new(ROOT).join("target/test-tools/promtool");
    let mut child = Command::new(&program)
        .args(arguments)
        .current_dir(Path::new(ROOT).join("deploy/prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; run scripts/install-test-deps.sh", program.display()));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn assert_content(output: &Output) {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
}

#[tokio::test]
async fn prometheus_reads_the_page_and_finds_nothing_to_blame() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    for model in ["demo:terse", "demo:flaky"] {
        let id = client.submit("[demo tokens=20 rate=0] [flaky error-500]", &[model]).await.unwrap();
        client.wait_for_end(&id).await.unwrap();
    }
    let page = text(&client).await;
    let checked = promtool(&["check", "metrics"], &page);
    assert_content(&checked);
    assert!(checked.stdout.is_empty() && checked.stderr.is_empty(), "{checked:?}");
    // It does read: a page that is cut in the middle of a line is refused.
    let cut = page.split_at(page.find("llm_tokens_total{").unwrap() + 20).0;
    assert!(!promtool(&["check", "metrics"], cut).status.success());
}

#[test]
fn the_rules_are_valid_and_fire_when_they_should() {
    assert_content(&promtool(&["check", "rules", "alerts.yml"], ""));
    assert_content(&promtool(&["check", "config", "prometheus.yml"], ""));
    assert_content(&promtool(&["test", "rules", "alerts_test.yml"], ""));
}
