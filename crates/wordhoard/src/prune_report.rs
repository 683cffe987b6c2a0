//! A report of a prune, as the command line and the administration show it.

use std::io::{self, Write};

use serde_json::{Value, json};
use wordhoard_engine::retention::PruneReport;

pub(crate) fn json(report: &PruneReport) -> Value {
    json!({
        "before": report.before.to_string(),
        "dry_run": report.dry_run,
        "requests": report.requests,
        "attempts": report.attempts,
        "tokens": report.tokens,
        "partitions": report.partitions,
        "partitions_ms": report.partitions_ms,
        "transactions": report.transactions,
        "longest_transaction_ms": report.longest_transaction_ms,
        "elapsed_ms": report.elapsed_ms,
    })
}

pub(crate) fn print(report: &PruneReport, out: &mut impl Write) -> io::Result<()> {
    let PruneReport { requests, attempts, tokens, .. } = report;
    let done = if report.dry_run { "would be removed" } else { "removed" };
    let seconds = report.elapsed_ms as f64 / 1_000.0;
    writeln!(out, "{requests} requests, {attempts} attempts and {tokens} tokens {done} in {seconds:.1} s")?;
    writeln!(out, "they were accepted before {}", report.before)?;
    if report.partitions > 0 {
        writeln!(out, "{} partitions were dropped whole", report.partitions)?;
    }
    Ok(())
}
