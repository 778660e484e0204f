//! The command `run`: loads the files of a directory.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ecom_ingest::format::shell_quoted;
use ecom_ingest::progress::{Form, Total, bytes_to_read, count_csv_files, counts_in_words};
use ecom_ingest::terminal::can_redraw;
use ecom_ingest::{Page, RefusedFiles, Service};
use ecom_sink_pg::InstanceState;
use ecom_stream::{
    AfterCommit, CsvDirSource, Error, ErrorKind, Mapping, ProgressReceiver, Result, SourceExt, UnterminatedRecord,
    stop_signal,
};

use super::database::Database;
use super::fail_over::FailOver;
use super::help::AFTER_HELP;
use super::names::Names;
use super::nulls::Nulls;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, override_usage = "ecom-ingest run [OPTIONS]")]
pub(crate) struct Run {
    /// The directory with the CSV files; required, here, in the environment or in the configuration file
    #[arg(long, value_name = "DIR")]
    input: PathBuf,

    /// The mapping for files with other columns: a file in TOML, or the name of a ready one, such as ga4 or rees46;
    /// docs/files.md lists the keys, and ecom-ingest infer proposes one
    #[arg(long, value_name = "FILE")]
    map: Option<String>,

    #[command(flatten)]
    nulls: Nulls,

    #[command(flatten)]
    names: Names,

    /// Also load the files in subdirectories, such as date=2026-11-01/hour=09/
    #[arg(long)]
    recursive: bool,

    #[command(flatten)]
    database: Database,

    /// Load the files that are there now, then exit; a file that is still being written is read as far as it goes, and the
    /// exit code is 1 if a last record waits for its line end
    #[arg(long)]
    once: bool,

    /// With --once: end with exit code 8 if more than this share of the records read is rejected, such as 5%, or if a file
    /// cannot be read completely; everything is stored all the same
    #[arg(long, value_name = "PERCENT")]
    fail_over: Option<FailOver>,

    /// Move each file to this directory once all of it is committed; no other program may need the files
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,

    /// Delete each file once all of it is committed; no other program may need the files
    #[arg(long, conflicts_with = "archive")]
    delete: bool,

    /// Read a file even if it has the same bytes as one that was read before, instead of skipping it
    #[arg(long)]
    allow_copies: bool,

    /// The name of this pipeline in the database; give each input directory its own
    #[arg(long, value_name = "NAME", default_value = "events")]
    pipeline: String,

    /// The input directory has moved since the last run, with the same files in it
    #[arg(long)]
    moved: bool,

    /// Terminate the instance that runs this pipeline, instead of standing by until it ends; for a start by hand, not for a
    /// service
    #[arg(long)]
    take_over: bool,

    /// How many connections write at the same time
    #[arg(long, value_name = "N", default_value = "2")]
    connections: NonZeroUsize,

    /// How long a file must be unchanged before it is read, unless it was renamed into place or closed
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    settle: Duration,

    /// What to do with the last record of a file while no line end follows it; its upload may have broken off inside it
    #[arg(long, value_name = "WHAT", value_enum, default_value = "wait")]
    unterminated_record: Unterminated,

    /// While loading, build the indexes that only reading needs, on partitions whose time ended this long ago and that
    /// receive no rows; otherwise use ecom-ingest settle. The role must own the table
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    settle_partitions: Option<Duration>,

    /// How progress is shown
    #[arg(long, value_name = "FORM", value_enum, default_value = "auto")]
    progress: Form,

    /// Serve metrics for Prometheus, health and progress over HTTP on this address, such as 127.0.0.1:9187; there is no
    /// password
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    listen: Option<SocketAddr>,
}

/// What the runs of one process have done: there is more than one after a fail-over, for example.
#[derive(Default)]
struct Runs {
    have_committed: bool,
    unreadable_files: u64,
    last: Option<ProgressReceiver>,
}

impl Runs {
    fn add(&mut self, run: ProgressReceiver) {
        self.end_last();
        self.last = Some(run);
    }

    fn end_last(&mut self) {
        if let Some(progress) = self.last.take().and_then(|last| last.latest()) {
            self.have_committed = true;
            self.unreadable_files += progress.splits.damaged + progress.splits.set_aside;
        }
    }
}

/// What to do with a last record without a line end.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Unterminated {
    /// Wait until the file goes on, comes again, or is renamed into place
    Wait,
    /// Store it once the file is unchanged for the settle time: for files that are always complete
    Store,
}

/// An address, or a port of this machine.
fn address(text: &str) -> std::result::Result<SocketAddr, String> {
    let port: std::result::Result<u16, _> = text.parse();
    match (port, text.parse()) {
        (Ok(port), _) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        (_, Ok(address)) => Ok(address),
        _ => Err("write an address such as 127.0.0.1:9187, or a port of this machine".to_owned()),
    }
}

/// The exit code when more records were rejected than `--fail-over` allows.
const TOO_MANY_REJECTED: u8 = 8;

impl Run {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        if self.fail_over.is_some() && !self.once {
            let message = "--fail-over needs --once: a run without an end has no share of rejected records";
            return Err(Error::new(ErrorKind::Configuration, message)
                .hint("for a service, alert on ecom_records_total{outcome=\"rejected\"}"));
        }
        let mapping = self.map.as_deref().map(Mapping::named).transpose()?;
        let until = if self.once {
            "the files that are there now"
        } else {
            "files as they arrive, until Ctrl-C"
        };
        tracing::info!(
            "loading {} as pipeline {:?}: {until}",
            self.input.display(),
            self.pipeline
        );
        let (mut source, mut rules) = (
            CsvDirSource::new(&self.input)
                .names(self.names.patterns())
                .settle_for(self.settle),
            self.nulls.rules(),
        );
        if let Some(mapping) = mapping {
            source = source.mapping(&mapping);
            rules = rules.mapping(mapping);
        }
        if let Unterminated::Store = self.unterminated_record {
            source = source.unterminated_record(UnterminatedRecord::Store);
        }
        if self.recursive {
            source = source.recursive(true);
        }
        if self.once {
            source = source.available_now(true);
        }
        if self.allow_copies {
            source = source.allow_copies(true);
        }
        if self.delete {
            source = source.after_commit(AfterCommit::Delete);
        }
        if let Some(archive) = &self.archive {
            source = source.after_commit(AfterCommit::Archive(archive.clone()));
        }
        let mut service = Service::new(&self.pipeline, self.input.display().to_string(), "ecom.events");
        if let Some(rested) = self.settle_partitions {
            service = service.keep_settled(self.database.maintenance()?, rested);
        }
        if let Some(at) = self.listen {
            service = service.page(Page::open(at).await?);
        }
        let has_bar = self.progress == Form::Auto && can_redraw(&std::io::stderr());
        let total = match self.once && has_bar {
            true => {
                bytes_to_read(
                    &self.input,
                    self.recursive,
                    &self.names.patterns(),
                    &self.database.console()?,
                    &self.pipeline,
                )
                .await
            }
            false => Total::Endless,
        };
        let sink = self
            .database
            .sink()?
            .pipeline(&self.pipeline)
            .moved(self.moved)
            .take_over(self.take_over)
            .connections(self.connections);
        let state = sink.instance_state();
        let mut runs = Runs::default();
        let advice = Advice::of(&self);
        let refused = RefusedFiles::new(move |path| advice.about(path));
        let pipeline = || {
            let valid = source.clone().validate(rules.clone()).inspect(refused.watch());
            let pipeline = valid.stamp().to(sink.clone());
            runs.add(pipeline.subscribe());
            pipeline
        };
        let service = service.progress(self.progress, total);
        let summary = service.run_until(pipeline, state.clone(), stop_signal()?).await?;
        runs.end_last();
        let ended = if summary.stopped { "stopped" } else { "done" };
        tracing::info!("{ended}: {}", counts_in_words(&summary.counts));
        match state.now() {
            InstanceState::Incomplete { why } if summary.stopped => tracing::warn!("{why}"),
            InstanceState::Incomplete { why } => return Err(Error::new(ErrorKind::Sink, why)),
            _ => {}
        }
        if let Some(rejected) = refused.most_are_rejected(&summary.counts) {
            tracing::warn!("{rejected}");
        }
        if summary.counts.rejected > 0 {
            tracing::info!("to see the rejected records and how to fix them: ecom-ingest rejects list");
        }
        if self.once && !summary.stopped && !runs.have_committed {
            match count_csv_files(&self.input, self.recursive, &self.names.patterns()) {
                0 => tracing::warn!("there are no CSV files in {}", self.input.display()),
                files => tracing::info!("CSV files in {}: {files}, all read before", self.input.display()),
            }
        }
        match runs.unreadable_files {
            0 => {}
            files => {
                tracing::warn!("files that cannot be read completely: {files}; ecom-ingest status shows what to do");
            }
        }
        let fails_over = self.fail_over.filter(|_| !summary.stopped);
        if fails_over.is_some_and(|percent| percent.is_exceeded(&summary.counts) || runs.unreadable_files > 0) {
            tracing::error!("more records are rejected than --fail-over allows, or a file cannot be read completely");
            return Ok(ExitCode::from(TOO_MANY_REJECTED));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What to do about a file of which every record is rejected.
struct Advice {
    map: Option<String>,
    input: PathBuf,
    archive: Option<PathBuf>,
    is_deleted: bool,
}

impl Advice {
    fn of(run: &Run) -> Self {
        Self {
            map: run.map.clone(),
            input: run.input.clone(),
            archive: run.archive.clone(),
            is_deleted: run.delete,
        }
    }

    /// The advice about the file with this path in the input directory.
    fn about(&self, path: &str) -> String {
        let dir = self.archive.as_ref().unwrap_or(&self.input);
        let file = shell_quoted(&dir.join(path).display().to_string());
        let again = match (&self.archive, self.is_deleted) {
            (_, true) => format!(
                "ecom-ingest rejects retry --file {} --map MAP stores them",
                shell_quoted(path)
            ),
            (Some(_), _) => "once the file is back in the input directory, run --map MAP reads it again".to_owned(),
            (None, _) => "run --map MAP then reads the file again".to_owned(),
        };
        match (&self.map, self.is_deleted) {
            (None, true) => format!("write a mapping for such files; {again}"),
            (None, false) => format!("ecom-ingest infer {file} > MAP proposes a mapping, and {again}"),
            (Some(_), true) => format!("correct the mapping; {again}"),
            (Some(map), false) => {
                let map = shell_quoted(map);
                format!("ecom-ingest check {file} --map {map} shows more; correct the mapping, and {again}")
            }
        }
    }
}
