//! The command `status`: shows files, lag, rates and rejected records.

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use ecom_ingest::format::{bytes, count, duration, on_one_line, printable, shell_quoted};
use ecom_ingest::output::{self, BackgroundWriter};
use ecom_ingest::terminal::can_redraw;
use ecom_sink_pg::{Console, PipelineRunner, PipelineStatus, Status as Found, UnusableFile};
use ecom_stream::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::database::Database;
use super::near::nearest;

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Only the pipeline with this name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// Refresh until Ctrl-C, every two seconds or at this interval
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "2s",
          value_parser = humantime::parse_duration)]
    watch: Option<Duration>,

    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    database: Database,
}

impl Status {
    pub(crate) async fn run(self) -> Result<()> {
        let console = self.database.console()?;
        let Some(every) = self.watch else {
            let status = console.status(self.only.as_deref()).await?;
            if let (true, Some(name)) = (status.pipelines.is_empty(), &self.only) {
                return Err(no_such_pipeline(&console, name).await?);
            }
            return output::text(&self.in_form(&status));
        };
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        tokio::select! {
            watched = self.watch(&console, every) => watched,
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    }

    async fn watch(&self, console: &Console, every: Duration) -> Result<()> {
        let clears = !self.json && can_redraw(&std::io::stdout());
        let clear = if clears { "\x1b[H\x1b[2J" } else { "" };
        // A signal ends the command also while nobody reads what it prints.
        let writer = BackgroundWriter::start()?;
        loop {
            let status = console.status(self.only.as_deref()).await?;
            let text = self.in_form(&status);
            if !writer.show(format!("{clear}{}", printable(&text))).await? {
                return Ok(());
            }
            tokio::time::sleep(every).await;
        }
    }

    /// The status in the form that was asked for.
    fn in_form(&self, status: &Found) -> String {
        match self.json {
            true => format!("{}\n", in_json(status)),
            false => in_words(status, self.only.as_deref()),
        }
    }
}

/// Checks that a pipeline of this name has run on this database.
///
/// # Errors
///
/// Those of [`Console::status`], and [`ErrorKind::Configuration`] with the nearest name.
pub(super) async fn check_pipeline(console: &Console, name: &str) -> Result<()> {
    match console.status(Some(name)).await?.pipelines.is_empty() {
        true => Err(no_such_pipeline(console, name).await?),
        false => Ok(()),
    }
}

/// The error for the name of a pipeline that has not run on this database, with the nearest one.
///
/// # Errors
///
/// Those of [`Console::status`].
async fn no_such_pipeline(console: &Console, name: &str) -> Result<Error> {
    let all = console.status(None).await?.pipelines;
    let names: Vec<&str> = all.iter().map(|pipeline| pipeline.name.as_str()).collect();
    let near = nearest(name, &names).map(|near| format!("did you mean {near:?}?"));
    let hint = near.unwrap_or_else(|| match names.len() {
        0 => "no pipeline has: ecom-ingest run --input DIR starts one".to_owned(),
        _ => "ecom-ingest status lists all pipelines".to_owned(),
    });
    let what = format!("no pipeline of the name {name:?} has run on this database yet");
    Ok(Error::new(ErrorKind::Configuration, what).hint(hint))
}

/// A stream of a signal.
fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|err| Error::new(ErrorKind::Configuration, "cannot listen for signals").caused_by(err))
}

/// The status as text.
fn in_words(status: &Found, only: Option<&str>) -> String {
    let mut text = match (status.pipelines.is_empty(), only) {
        (false, _) => String::new(),
        (true, Some(name)) => format!("no pipeline of the name {name:?} has run on this database yet\n"),
        (true, None) => "no pipeline has run on this database yet: ecom-ingest run --input DIR starts one\n".to_owned(),
    };
    for pipeline in &status.pipelines {
        let _ = of_pipeline(&mut text, pipeline, status.at);
    }
    text
}

/// Appends the status of one pipeline.
fn of_pipeline(text: &mut String, pipeline: &PipelineStatus, now: OffsetDateTime) -> std::fmt::Result {
    let PipelineStatus {
        name, files, counts, ..
    } = pipeline;
    let ago = |time: OffsetDateTime| duration((now - time).try_into().unwrap_or_default());
    let places: Vec<&str> = pipeline.sources.iter().map(|(_, location)| location.as_str()).collect();
    writeln!(
        text,
        "pipeline {}: {}",
        on_one_line(name),
        on_one_line(&places.join(", "))
    )?;
    match &pipeline.runner {
        PipelineRunner::Running { described, .. } => writeln!(text, "  runs      {}", on_one_line(described))?,
        PipelineRunner::NotRunning { last: Some(last) } => writeln!(
            text,
            "  runs      not at the moment; the last was {}",
            on_one_line(last)
        )?,
        _ => writeln!(text, "  runs      not at the moment")?,
    }
    match pipeline.committed_at {
        Some(at) => writeln!(text, "  commits   {}, the last {} ago", count(pipeline.epoch), ago(at))?,
        None => writeln!(text, "  commits   no commits yet")?,
    }
    let left = match files.bytes_left {
        0 => String::new(),
        left => format!(" with {} to read", bytes(left)),
    };
    writeln!(
        text,
        "  files     {} finished, {} open{left}, {} damaged, {} set aside",
        count(files.finished),
        count(files.open),
        count(files.damaged),
        count(files.set_aside),
    )?;
    writeln!(
        text,
        "  records   {} read = {} stored + {} duplicates + {} rejected + {} filtered",
        count(counts.read),
        count(counts.stored),
        count(counts.duplicates),
        count(counts.rejected),
        count(counts.filtered),
    )?;
    let [one, five, fifteen] = pipeline.rows_per_s;
    writeln!(
        text,
        "  rate      about {one:.0}/s in the last minute, {five:.0}/s in 5, {fifteen:.0}/s in 15"
    )?;
    match (pipeline.lag_median, pipeline.lag_max) {
        (Some(median), Some(max)) => writeln!(
            text,
            "  lag       {} from a file's last write to its commit, at most {}, in the last 15 minutes",
            duration(median),
            duration(max),
        )?,
        _ => writeln!(text, "  lag       no file was read in the last 15 minutes")?,
    }
    for refused in &pipeline.rejects {
        let resolved = match refused.resolved {
            0 => String::new(),
            resolved => format!(", {} retried", count(resolved)),
        };
        writeln!(
            text,
            "  rejected  {:<24} {} waiting{resolved}, the last {} ago",
            refused.reason,
            count(refused.waiting),
            ago(refused.newest),
        )?;
    }
    for file in &pipeline.unusable {
        let place = match file.records {
            0 => String::new(),
            records => format!(" after record {}, byte {}", count(records), count(file.bytes)),
        };
        let state = file.state.replace('_', " ");
        writeln!(
            text,
            "  {state:<9} {}{place}: {}: {}",
            on_one_line(&file.path),
            file.reason,
            on_one_line(&file.detail)
        )?;
    }
    for next in next_steps(pipeline) {
        writeln!(text, "  next      {next}")?;
    }
    Ok(())
}

/// What the reader should do next.
fn next_steps(pipeline: &PipelineStatus) -> Vec<String> {
    let mut steps = Vec::new();
    if let PipelineRunner::NotRunning { .. } = pipeline.runner {
        let input = pipeline.sources.first().map_or("DIR", |(_, location)| location);
        let map = if pipeline.is_mapped { " --map MAPPING" } else { "" };
        steps.push(format!(
            "to load new files: ecom-ingest run --input {} --pipeline {}{map}",
            shell_quoted(input),
            shell_quoted(&pipeline.name)
        ));
    }
    if pipeline.rejects.iter().any(|refused| refused.waiting > 0) {
        steps.push("to see the rejected records and how to fix them: ecom-ingest rejects list".to_owned());
    }
    let is_other_layout = |file: &&UnusableFile| ["column_missing", "wrong_delimiter"].contains(&&*file.reason);
    if let Some(file) = pipeline.unusable.iter().find(is_other_layout) {
        let source = pipeline.sources.iter().find(|(name, _)| *name == file.source);
        let path = match source {
            Some((_, location)) => format!("{}/{}", location.trim_end_matches('/'), file.path),
            None => file.path.clone(),
        };
        steps.push(format!(
            "to load files with other columns: ecom-ingest infer {} proposes a mapping for run --map",
            shell_quoted(&path)
        ));
    }
    if pipeline.files.damaged + pipeline.files.set_aside > 0 {
        steps.push(
            "to read a damaged or set-aside file: replace it with a complete, corrected one under the same name; \
             reading continues where it stopped"
                .to_owned(),
        );
    }
    if pipeline.unusable.iter().any(|file| file.reason == "no_line_end") {
        steps.push(
            "for a file that waits for a line end: finish its upload under the same name; if it is complete, append a \
             line end, or run with --unterminated-record store"
                .to_owned(),
        );
    }
    if !pipeline.counts.is_balanced() {
        steps.push(
            "the counts do not add up, which is a bug unless a transform makes several records from one: see \
             ecom.ingest_balance"
                .to_owned(),
        );
    }
    steps
}

/// The status as JSON. Its keys are part of the program's interface.
fn in_json(status: &Found) -> Value {
    let time = |time: OffsetDateTime| time.format(&Rfc3339).ok();
    let pipelines = status.pipelines.iter().map(|pipeline| {
        let (is_running, instance) = match &pipeline.runner {
            PipelineRunner::Running { described, .. } => (true, Some(described)),
            PipelineRunner::NotRunning { last } => (false, last.as_ref()),
            _ => (false, None),
        };
        let (files, counts) = (&pipeline.files, &pipeline.counts);
        json!({
            "name": pipeline.name,
            "sources": pipeline.sources.iter().map(|(name, location)| json!({"name": name, "location": location}))
                .collect::<Vec<_>>(),
            "running": is_running,
            "instance": instance,
            "epoch": pipeline.epoch,
            "committed_at": pipeline.committed_at.and_then(time),
            "files": {"open": files.open, "finished": files.finished, "damaged": files.damaged,
                      "set_aside": files.set_aside, "bytes_left": files.bytes_left},
            "records": {"read": counts.read, "stored": counts.stored, "duplicates": counts.duplicates,
                        "rejected": counts.rejected, "filtered": counts.filtered},
            "records_per_second": {"1m": pipeline.rows_per_s[0], "5m": pipeline.rows_per_s[1], "15m": pipeline.rows_per_s[2]},
            "lag_seconds": {"median": pipeline.lag_median.map(|lag| lag.as_secs_f64()),
                            "max": pipeline.lag_max.map(|lag| lag.as_secs_f64())},
            "rejects": pipeline.rejects.iter().map(|refused| json!({
                "reason": refused.reason, "waiting": refused.waiting, "retried": refused.resolved,
                "newest_at": time(refused.newest)})).collect::<Vec<_>>(),
            "unusable_files": pipeline.unusable.iter().map(|file| json!({
                "path": file.path, "state": file.state, "reason": file.reason, "detail": file.detail,
                "records": file.records, "bytes": file.bytes})).collect::<Vec<_>>(),
            "next": next_steps(pipeline),
        })
    });
    json!({"at": time(status.at), "pipelines": pipelines.collect::<Vec<_>>()})
}
