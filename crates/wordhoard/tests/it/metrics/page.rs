//! The page of figures, taken apart.

use std::collections::BTreeMap;

use serde_json::Value;
use wordhoard_testkit::client::Client;

use crate::raw_http::get;

/// Figures by their names and labels: `name{a="x",b="y"}`, labels sorted.
pub type Figures = BTreeMap<String, f64>;

pub async fn text(client: &Client) -> String {
    let answer = get(client, "/metrics", &[]).await;
    let content_type = answer.header("content-type");
    assert_eq!((answer.status, content_type), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    answer.body
}

/// Labels of ours hold no comma, brace or quote, which keeps this short; promtool reads the page in earnest.
pub async fn figures(client: &Client) -> Figures {
    let page = text(client).await;
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let figure = |line: &str| {
        let (key, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = key.split_once('{').unwrap_or((key, "}"));
        let mut labels: Vec<_> =
            labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty()).collect();
        labels.sort_unstable();
        (key_of(name, &labels), value.parse().unwrap())
    };
    samples.map(figure).collect()
}

/// The same from JSON.
pub async fn json_figures(client: &Client) -> Figures {
    let document = client.get("/api/metrics").await.unwrap().body;
    let mut figures = Figures::new();
    for (name, value) in document.as_object().unwrap() {
        match value {
            Value::Array(list) => list.iter().for_each(|one| take(&mut figures, name, one)),
            one => take(&mut figures, name, one),
        }
    }
    figures
}

fn take(figures: &mut Figures, name: &str, one: &Value) {
    let none = serde_json::Map::new();
    let labels = one.get("labels").map_or(&none, |labels| labels.as_object().unwrap());
    let mut labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    labels.sort_unstable();
    let mut add = |name: String, labels: &[String], value: &Value| {
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        figures.insert(key_of(&name, &labels), value.as_f64().unwrap());
    };
    match one {
        Value::Number(_) => add(name.to_owned(), &labels, one),
        one if one.get("buckets").is_some() => {
            add(format!("{name}_count"), &labels, &one["count"]);
            add(format!("{name}_sum"), &labels, &one["sum"]);
            for (bound, count) in one["buckets"].as_object().unwrap() {
                let mut labels = labels.clone();
                labels.push(format!("le={bound:?}"));
                labels.sort_unstable();
                add(format!("{name}_bucket"), &labels, count);
            }
        }
        one => add(name.to_owned(), &labels, &one["value"]),
    }
}

fn key_of(name: &str, labels: &[&str]) -> String {
    if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) }
}
