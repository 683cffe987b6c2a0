//! A report of the consistency check, as the command line and the administration show it.

use std::io::{self, Write};

use serde_json::{Value, json};
use wordhoard_engine::consistency::CheckReport;

/// Findings that people are shown.
const SHOWN_FINDINGS: usize = 10;

pub(crate) fn json(report: &CheckReport) -> Value {
    json!({
        "depth": report.depth.as_str(),
        "started_at": report.started_at.to_string(),
        "elapsed_ms": report.elapsed_ms,
        "requests": report.requests,
        "tokens": report.tokens,
        "repaired_events": report.repaired_events,
        "finding_count": report.finding_count,
        "findings": report.findings,
    })
}

pub(crate) fn print(report: &CheckReport, out: &mut impl Write) -> io::Result<()> {
    if report.repaired_events > 0 {
        writeln!(out, "{} events were put back from the log", report.repaired_events)?;
    }
    for finding in report.telling(SHOWN_FINDINGS) {
        writeln!(out, "{finding}")?;
    }
    let unshown = report.finding_count.saturating_sub(SHOWN_FINDINGS as u64);
    if unshown > 0 {
        writeln!(out, "and {unshown} more; --json lists them")?;
    }
    let verdict = match report.finding_count {
        0 => "consistent".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let (requests, tokens, seconds) = (report.requests, report.tokens, report.elapsed_ms as f64 / 1_000.0);
    writeln!(
        out,
        "{verdict}: {requests} requests and {tokens} tokens in {seconds:.1} s ({} check)",
        report.depth.as_str()
    )
}
