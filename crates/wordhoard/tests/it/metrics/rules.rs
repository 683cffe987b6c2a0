//! Rules and dashboard use figures that exist, and every alert has its entry in the runbook.

use std::collections::BTreeSet;

use serde_json::Value;
use wordhoard_testkit::server::ServerHome;

use super::page::text;
use crate::EXE;

const ALERTS: &str = include_str!("../../../../../deploy/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../../../../deploy/grafana/dashboard.json");
const RUNBOOK: &str = include_str!("../../../../../docs/operations.md");

/// The names of figures in an expression or a page.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_name(c));
    let ours = |word: &&str| ["llm_", "wordhoard_", "process_"].iter().any(|prefix| word.starts_with(prefix));
    words.filter(ours).collect()
}

fn expressions(part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| expressions(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn rules_and_dashboard_name_figures_that_a_server_has() {
    let home = ServerHome::new(EXE, "[limits]\nwal_segment = \"1MiB\"\nwal_limit = \"100MiB\"").unwrap();
    let server = home.start().unwrap();
    let client = server.client();
    let id = client.submit("[demo tokens=20 rate=0]", &["demo:terse"]).await.unwrap();
    client.wait_for_end(&id).await.unwrap();
    let page = text(&client).await;
    let there: BTreeSet<_> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut of_dashboard = Vec::new();
    expressions(&serde_json::from_str(DASHBOARD).unwrap(), &mut of_dashboard);
    assert!(of_dashboard.len() > 20, "{of_dashboard:?}");
    let of_alerts = ALERTS.lines().filter(|line| !line.trim_start().starts_with('#'));
    let used = [of_alerts.collect::<Vec<_>>().join("\n"), of_dashboard.join("\n")].join("\n");
    let used = names(&used);
    assert!(used.len() > 25, "{used:?}");
    for name in used {
        let family = name.strip_suffix("_bucket").unwrap_or(name);
        assert!(there.contains(family), "{name} is nowhere on the page");
    }
}

#[test]
fn every_alert_says_how_bad_what_and_where_to_read_on() {
    let alerts: Vec<_> = ALERTS.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 15);
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        let severity = ["severity: page", "severity: ticket"].iter().any(|one| alert.contains(one));
        assert!(severity && alert.contains("summary: "), "{name}");
        let entry = format!("runbook_url: docs/operations.md#{}\n", name.to_lowercase());
        assert!(format!("{alert}\n").contains(&entry), "{name} has another address than {entry}");
        let entry = RUNBOOK.split(&format!("\n### {name}\n")).nth(1).unwrap_or_else(|| panic!("{name}"));
        let entry = entry.split("\n#").next().unwrap();
        let has = |part: &str| entry.contains(&format!("**{part}")) || entry.contains("Look at, do, over");
        assert!(["Means", "Look at", "Do", "Over"].iter().all(|part| has(part)), "{name}: {entry}");
    }
}
