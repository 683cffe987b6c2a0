//! The same figures as JSON: by name, a number where there is one, else a list of what has which labels.

use serde_json::{Map, Value as Json, json};
use wordhoard_engine::metrics::Reading;

use super::family::{Family, Sample, Value};

/// All families.
pub(crate) fn document(families: &[Family]) -> Json {
    let shown = families.iter().filter(|family| !family.samples.is_empty());
    shown.map(|family| (family.name.to_owned(), value(&family.samples))).collect::<Map<_, _>>().into()
}

fn value(samples: &[Sample]) -> Json {
    match samples {
        [Sample { labels, value }] if labels.is_empty() => match value {
            Value::Number(number) => self::number(*number),
            Value::Histogram(reading) => histogram(reading).into(),
        },
        samples => samples.iter().map(labelled).collect(),
    }
}

fn labelled(sample: &Sample) -> Json {
    let labels: Map<_, _> =
        sample.labels.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let mut object = match &sample.value {
        Value::Number(number) => Map::from_iter([("value".to_owned(), self::number(*number))]),
        Value::Histogram(reading) => histogram(reading),
    };
    object.insert("labels".to_owned(), labels.into());
    object.into()
}

fn histogram(reading: &Reading) -> Map<String, Json> {
    let bounded = reading.buckets.iter().map(|(bound, count)| (bound.to_string(), json!(count)));
    let buckets: Map<_, _> = bounded.chain([("+Inf".to_owned(), json!(reading.count))]).collect();
    Map::from_iter([
        ("count".to_owned(), reading.count.into()),
        ("sum".to_owned(), json!(reading.sum_seconds)),
        ("buckets".to_owned(), buckets.into()),
    ])
}

/// A count is written as one, not as `3.0`.
fn number(number: f64) -> Json {
    if number.fract() == 0.0 && number.abs() < 9e15 { json!(number as i64) } else { json!(number) }
}
