//! The text format of Prometheus, version 0.0.4, which every scraper reads.

use wordhoard_engine::metrics::Reading;

use super::family::{Family, Sample, Value};

/// What the page is.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All families on one page. One without figures is announced, so that it is seen to exist.
pub(crate) fn page(families: &[Family]) -> String {
    let mut out = String::with_capacity(32 << 10);
    for family in families {
        let Family { name, help, kind, samples } = family;
        line(&mut out, format_args!("# HELP {name} {help}"));
        line(&mut out, format_args!("# TYPE {name} {}", kind.as_str()));
        for sample in samples {
            match &sample.value {
                Value::Number(value) => {
                    let labels = labels(sample, None);
                    line(&mut out, format_args!("{name}{labels} {value}"));
                }
                Value::Histogram(reading) => histogram(&mut out, name, sample, reading),
            }
        }
    }
    out
}

fn histogram(out: &mut String, name: &str, sample: &Sample, reading: &Reading) {
    for (bound, count) in &reading.buckets {
        let labels = labels(sample, Some(&bound.to_string()));
        line(out, format_args!("{name}_bucket{labels} {count}"));
    }
    let Reading { count, sum_seconds, .. } = reading;
    line(out, format_args!("{name}_bucket{} {count}", labels(sample, Some("+Inf"))));
    let labels = labels(sample, None);
    line(out, format_args!("{name}_sum{labels} {sum_seconds}"));
    line(out, format_args!("{name}_count{labels} {count}"));
}

fn labels(sample: &Sample, bound: Option<&str>) -> String {
    let own = sample.labels.iter().map(|(name, value)| (*name, value.as_str()));
    let pairs: Vec<_> = own
        .chain(bound.map(|bound| ("le", bound)))
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.push_str(&std::fmt::format(text));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_break_out_of_its_label() {
        let mut family = Family::gauge("one", "A figure.");
        family.add(&[("model", "a\"b\\c\nd{}")], 0.5);
        let page = page(&[family]);
        assert_eq!(page, "# HELP one A figure.\n# TYPE one gauge\none{model=\"a\\\"b\\\\c\\nd{}\"} 0.5\n");
    }

    #[test]
    fn a_histogram_has_its_buckets_its_sum_and_its_count() {
        let mut family = Family::histogram("took_seconds", "How long.");
        family.add_histogram(&[("of", "x")], Reading::of(&[1_000, 2_000], &[3, 0, 1], 5_000_000));
        assert_eq!(
            page(&[family]).lines().skip(2).collect::<Vec<_>>(),
            [
                "took_seconds_bucket{of=\"x\",le=\"0.001\"} 3",
                "took_seconds_bucket{of=\"x\",le=\"0.002\"} 3",
                "took_seconds_bucket{of=\"x\",le=\"+Inf\"} 4",
                "took_seconds_sum{of=\"x\"} 0.005",
                "took_seconds_count{of=\"x\"} 4",
            ]
        );
    }
}
