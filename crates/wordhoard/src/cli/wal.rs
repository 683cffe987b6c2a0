use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wordhoard_engine::record;
use wordhoard_model::{AttemptSeq, Event, EventBody, Lane, RequestId};
use wordhoard_wal::{Position, ReadError, Record, inspect};
use wordhoard_wire::native;

use super::wal_dir;

pub(super) const EXAMPLES: &str = "\
Examples:
  wordhoard wal dump --data-dir data | tail
  wordhoard wal verify --data-dir data";

#[derive(Debug, Subcommand)]
pub(super) enum WalCommand {
    /// Print what the log holds, one JSON object a line.
    ///
    /// A token is {"r":request,"a":attempt,"i":index,"m":model,"t":text,"ts":time}; other events are
    /// {"r":request,"event":name,"data":{…}}. Works beside a running server, and takes no lock. Records that SQL has
    /// durably leave the log a segment at a time, so an old request may be in SQL only.
    #[command(after_help = "\
Examples:
  wordhoard wal dump | tail
  wordhoard wal dump --data-dir data --request 0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11 --tokens")]
    Dump(DumpArgs),
    /// Read the whole log and check every checksum.
    ///
    /// Exit code 0 if all is intact, 1 on damage. A torn end is what a crash leaves, and no damage.
    #[command(after_help = "Example:\n  wordhoard wal verify --data-dir data")]
    Verify {
        /// The server's data directory.
        #[arg(long, value_name = "DIR", default_value = "data")]
        data_dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct DumpArgs {
    /// The server's data directory.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data_dir: PathBuf,
    /// Only this request.
    #[arg(long, value_name = "ID")]
    request: Option<RequestId>,
    /// Only tokens.
    #[arg(long)]
    tokens: bool,
    /// Add each record's "position" in the log and each event's "seq" in its request.
    #[arg(long)]
    positions: bool,
}

pub(super) fn run(command: WalCommand) -> anyhow::Result<ExitCode> {
    match command {
        WalCommand::Dump(args) => dump(&args),
        WalCommand::Verify { data_dir } => verify(&data_dir),
    }
}

fn dump(args: &DumpArgs) -> anyhow::Result<ExitCode> {
    let scan = inspect::scan(&wal_dir(&args.data_dir)?)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut printer = Printer { args, labels: HashMap::new() };
    let mut intact = true;
    for found in scan {
        let lines = match found {
            Ok(found) => printer.lines(&found),
            Err(ReadError::Damaged { missing }) => {
                intact = false;
                vec![json!({ "damaged": { "from": missing.start.0, "to": missing.end.0 } })]
            }
            // A running server has let a segment go meanwhile: SQL has it.
            Err(ReadError::Released { first_available }) => {
                vec![json!({ "released": { "to": first_available.0 } })]
            }
            Err(error) => return Err(error.into()),
        };
        for line in lines {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    Ok(if intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Printer<'a> {
    args: &'a DumpArgs,
    /// Lane and model of the attempts of requests that have not ended, as their records pass.
    labels: HashMap<(RequestId, AttemptSeq), (Lane, String)>,
}

impl Printer<'_> {
    /// One for each event of a record.
    fn lines(&mut self, found: &Record) -> Vec<Value> {
        match record::decode(found.kind, found.version, &found.payload) {
            Ok(Some((id, _))) if self.args.request.is_some_and(|wanted| wanted != id) => Vec::new(),
            Ok(Some((id, events))) => {
                events.iter().filter_map(|event| self.line(found.position, id, event)).collect()
            }
            Ok(None) => Vec::new(),
            Err(error) => {
                vec![json!({ "position": found.position.0, "undecodable": error.to_string() })]
            }
        }
    }

    fn line(&mut self, position: Position, id: RequestId, event: &Event) -> Option<Value> {
        if let EventBody::AttemptStarted(started) = &event.body {
            self.labels.insert((id, started.attempt_seq), (started.lane, started.model.to_string()));
        }
        let mut line = match &event.body {
            EventBody::Token(_) => self.token(id, event),
            _ if self.args.tokens => return None,
            _ => self.other(id, event),
        };
        if self.args.positions
            && let Value::Object(fields) = &mut line
        {
            fields.insert("seq".into(), event.seq.0.into());
            fields.insert("position".into(), position.0.into());
        }
        if let EventBody::RequestFinished(_) = &event.body {
            self.labels.retain(|(of, _), _| *of != id);
        }
        Some(line)
    }

    /// SPEC FD 4. The model is null where the attempt's start has left the log.
    fn token(&self, id: RequestId, event: &Event) -> Value {
        let EventBody::Token(token) = &event.body else {
            return Value::Null;
        };
        let model = self.labels.get(&(id, token.attempt_seq)).map(|(_, model)| model.as_str());
        json!({
            "r": id.to_string(),
            "a": token.attempt_seq.0,
            "i": token.token_index.0,
            "m": model,
            "t": token.text,
            "ts": event.at.to_string(),
        })
    }

    fn other(&self, id: RequestId, event: &Event) -> Value {
        let label = event.body.attempt_seq().and_then(|attempt| self.labels.get(&(id, attempt)));
        let label = label.map(|(lane, model)| native::Label { lane: *lane, model });
        let data: Value = serde_json::from_str(&native::event_json(id, event, label)).unwrap_or_default();
        json!({ "r": id.to_string(), "event": event.body.name(), "data": data })
    }
}

fn verify(data_dir: &Path) -> anyhow::Result<ExitCode> {
    let summary = inspect::verify(&wal_dir(data_dir)?)?;
    anyhow::ensure!(summary.log_id.is_some(), "{} has no readable segment of a log", data_dir.display());
    let mut out = std::io::stdout().lock();
    if let Some(log_id) = summary.log_id {
        writeln!(out, "log {log_id}: records {} to {}", summary.first, summary.end)?;
    }
    for segment in &summary.segments {
        let sealed = if segment.sealed { ", sealed" } else { "" };
        writeln!(
            out,
            "{}  records {} to {} in {} batches, {} bytes{sealed}",
            segment.name, segment.first, segment.end, segment.batches, segment.size_bytes
        )?;
    }
    if summary.torn_bytes > 0 {
        writeln!(out, "torn end: {} bytes of a batch that was never acknowledged", summary.torn_bytes)?;
    }
    for damage in &summary.damage {
        writeln!(out, "DAMAGED: {damage:?}")?;
    }
    if summary.damage.is_empty() {
        writeln!(out, "intact")?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}
