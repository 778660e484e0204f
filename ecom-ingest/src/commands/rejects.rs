//! The command `rejects`: lists and exports rejected records, and retries corrected ones.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ecom_ingest::format::{count, duration, on_one_line, shell_quoted};
use ecom_ingest::output;
use ecom_sink_pg::{Console, DeadLetter, DeadLetterFilter, Exported, Retried, StillRejected};
use ecom_stream::{Error, ErrorKind, Mapping, Reason, Result, Rules};

use super::database::Database;
use super::near::nearest;
use super::nulls::Nulls;
use super::status::check_pipeline;

#[derive(Debug, Args)]
pub(crate) struct Rejects {
    #[command(subcommand)]
    command: RejectsCommand,
}

#[derive(Debug, Subcommand)]
enum RejectsCommand {
    /// Lists the last rejects, and how to fix and retry each
    List(List),
    /// Writes rejects to CSV files, each record with the reason in front, so that they can be corrected
    Export(Export),
    /// Stores the rows of an exported file that was corrected; or, without a file, retries the selected rejects unchanged
    Retry(Retry),
}

/// Which rejects.
#[derive(Debug, Args)]
#[group(id = "choice", multiple = true)]
struct Choice {
    /// Only those with this reason code
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,

    /// Only those from this file, by its path in the input directory
    #[arg(long, value_name = "PATH")]
    file: Option<String>,

    /// Only the one with this number; can be given several times
    #[arg(long, value_name = "N")]
    id: Vec<i64>,

    /// Only those of the pipeline with this name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

impl Choice {
    /// The filter that these options mean.
    fn filter(&self) -> DeadLetterFilter {
        let filter = DeadLetterFilter::waiting()
            .reason(self.reason.clone())
            .path(self.file.clone())
            .pipeline(self.only.clone());
        match self.id.is_empty() {
            true => filter,
            false => filter.ids(self.id.clone()),
        }
    }

    /// The message if nothing was found. Only if nothing waits at all does it say so.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if there is no such pipeline or reason.
    async fn none_found(&self, console: &Console) -> Result<String> {
        if let Some(name) = &self.only {
            check_pipeline(console, name).await?;
        }
        let reasons = console.reasons().await?;
        if let Some(reason) = &self.reason {
            let known = Reason::ALL.iter().map(Reason::as_str);
            let known: Vec<&str> = known.chain(reasons.iter().map(|(reason, _)| reason.as_str())).collect();
            if !known.contains(&reason.as_str()) && !reason.starts_with("sqlstate_") {
                return Err(no_such_reason(reason, &known));
            }
        }
        Ok(match reasons.iter().map(|(_, waiting)| waiting).sum() {
            0 => "no rejected records are waiting\n".to_owned(),
            1 => "no rejected records match; 1 other is waiting\n".to_owned(),
            others => format!("no rejected records match; {} others are waiting\n", count(others)),
        })
    }
}

/// The error for an unknown reason, with the nearest known one.
fn no_such_reason(reason: &str, known: &[&str]) -> Error {
    let hint = match nearest(reason, known) {
        Some(near) => format!("did you mean {near}?"),
        None => "ecom-ingest status lists the reasons and their counts".to_owned(),
    };
    Error::new(ErrorKind::Configuration, format!("no such reason: {reason}")).hint(hint)
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    choice: Choice,

    /// How many to show at most
    #[arg(long, value_name = "N", default_value = "20")]
    limit: u32,

    /// Also show those that were retried
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Args)]
struct Export {
    #[command(flatten)]
    choice: Choice,

    /// The directory for the files; it is created
    #[arg(long, value_name = "DIR")]
    to: PathBuf,

    /// The header for files whose header the ledger does not have, such as event_id,event_time,event_type
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,

    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Args)]
struct Retry {
    /// A file that `rejects export` has written and that was corrected
    #[arg(value_name = "FILE", conflicts_with = "choice")]
    mended: Option<PathBuf>,

    #[command(flatten)]
    choice: Choice,

    /// Retry all waiting rejects, or all that are selected, unchanged; for example after a rule has changed
    #[arg(long, conflicts_with = "mended")]
    all: bool,

    /// The mapping for their files, whether they were read with this one, another or none: a file in TOML, or the name of a
    /// ready one, such as ga4 or rees46
    #[arg(long, value_name = "FILE")]
    map: Option<String>,

    #[command(flatten)]
    nulls: Nulls,

    #[command(flatten)]
    database: Database,
}

impl Rejects {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            RejectsCommand::List(list) => list.run().await,
            RejectsCommand::Export(export) => export.run().await,
            RejectsCommand::Retry(retry) => retry.run().await,
        }
    }
}

impl List {
    async fn run(self) -> Result<()> {
        let console = self.database.console()?;
        let filter = self.choice.filter().with_resolved(self.all);
        let letters = console.dead_letters(&filter, self.limit).await?;
        let text = match letters.len() {
            0 => self.choice.none_found(&console).await?,
            shown => {
                let last = match shown as u32 == self.limit {
                    true => {
                        format!("\nThese are the last {shown}; --limit shows more, ecom-ingest status counts all.\n")
                    }
                    false => "\n".to_owned(),
                };
                letters
                    .iter()
                    .map(in_words)
                    .chain([last + &how_to_retry(&letters)])
                    .collect()
            }
        };
        output::text(&text)
    }
}

/// How to correct and retry several rejects.
fn how_to_retry(letters: &[DeadLetter]) -> String {
    let by_mapping = by_mapping(letters.iter().any(|letter| letter.is_mapped));
    let other_layout = match letters
        .iter()
        .any(|letter| letter.resolved_at.is_none() && !letter.is_mapped)
    {
        true => {
            "If the files have another layout: ecom-ingest infer FILE > MAP proposes a mapping for them, and ecom-ingest \
             rejects retry --all --map MAP retries their rejects with it.\n"
        }
        false => "",
    };
    format!(
        "To correct several: ecom-ingest rejects export --to DIR (select with --reason CODE, --file PATH), edit \
         DIR/rejects.csv, then\n\
         ecom-ingest rejects retry DIR/rejects.csv{by_mapping}. Each row is stored once, however often the file is \
         retried.\n{other_layout}"
    )
}

/// A reject with its reason, its bytes, and how to fix and retry it.
fn in_words(letter: &DeadLetter) -> String {
    let place = match (&letter.split, letter.record, letter.byte_offset) {
        (Some(split), Some(record), Some(byte)) => {
            format!("{} record {record}, byte {byte}", on_one_line(split.path()))
        }
        _ => "made by a transform".to_owned(),
    };
    let age = time::OffsetDateTime::now_utc() - letter.rejected_at;
    let mut text = format!(
        "#{} {place}, {} ago\n  why    {}: {}\n",
        letter.id,
        duration(age.try_into().unwrap_or_default()),
        letter.reason,
        on_one_line(&letter.detail),
    );
    if let Some(raw) = &letter.raw {
        text.push_str(&format!("  row    {}\n", readable(raw)));
    }
    if letter.resolved_at.is_some() {
        text.push_str(match letter.resolution.as_deref() {
            Some("read_again") => "  done   its file was read again by another mapping\n",
            _ => "  done   retried and stored\n",
        });
        return text;
    }
    if let Some(remedy) = remedy(&Reason::from(letter.reason.clone()), letter.is_mapped) {
        text.push_str(&format!("  fix    {remedy}\n"));
    }
    let id = letter.id;
    text.push_str(&format!(
        "  retry  ecom-ingest rejects export --id {id} --to reject-{id}, correct it, ecom-ingest rejects retry \
         reject-{id}/rejects.csv{}\n",
        by_mapping(letter.is_mapped)
    ));
    text
}

/// How to fix records with this reason.
fn remedy(reason: &Reason, is_mapped: bool) -> Option<&'static str> {
    match is_mapped {
        true => reason.remedy_by_mapping(),
        false => reason.remedy(),
    }
}

/// The option that a retry needs if the file was read with a mapping.
fn by_mapping(is_mapped: bool) -> &'static str {
    if is_mapped { " --map MAPPING" } else { "" }
}

/// The beginning of a record, on one line.
fn readable(raw: &[u8]) -> String {
    const MAX_CHARS: usize = 160;
    let text = String::from_utf8_lossy(raw);
    let mut shown: String = on_one_line(&text.chars().take(MAX_CHARS).collect::<String>());
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

impl Export {
    async fn run(self) -> Result<()> {
        let console = self.database.console()?;
        let columns = (!self.columns.is_empty()).then_some(&*self.columns);
        let exported = console.export(&self.choice.filter(), columns, &self.to).await?;
        warn_of_left_out(&exported);
        let left_out = exported.headless.len() + exported.unprintable.len();
        let mut text = match exported.letters {
            0 if left_out > 0 => "nothing was exported\n".to_owned(),
            0 => self.choice.none_found(&console).await?,
            letters => format!(
                "{} in {}\n",
                rejects(letters),
                on_one_line(&self.to.display().to_string())
            ),
        };
        for file in &exported.files {
            let of = match exported.files.len() {
                1 => String::new(),
                _ => format!(
                    " of {}",
                    on_one_line(&Vec::from_iter(file.pipelines.clone()).join(", "))
                ),
            };
            text.push_str(&format!(
                "correct the rows{of}, keep reject_id unchanged, then: ecom-ingest rejects retry {}{}\n",
                shell_quoted(&file.path.display().to_string()),
                by_mapping(file.is_mapped)
            ));
        }
        output::text(&text)
    }
}

/// A number of rejects in words.
fn rejects(number: u64) -> String {
    match number {
        1 => "1 reject".to_owned(),
        _ => format!("{} rejects", count(number)),
    }
}

/// Warns of rejects that cannot be exported.
fn warn_of_left_out(exported: &Exported) {
    let ids = |ids: &[i64]| {
        let shown: Vec<String> = ids.iter().take(10).map(i64::to_string).collect();
        let more = if ids.len() > 10 { " …" } else { "" };
        let left_out = rejects(ids.len() as u64);
        format!("{left_out} left out ({}{more})", shown.join(", "))
    };
    if !exported.headless.is_empty() {
        tracing::warn!(
            "{}: the header of their file is unknown; give it with --columns event_id,event_time,…",
            ids(&exported.headless)
        );
    }
    if !exported.unprintable.is_empty() {
        tracing::warn!(
            "{}: their bytes are truncated, or have quotes that would swallow the next row; correct them in the \
             original file, and put them into the input directory as a new file",
            ids(&exported.unprintable)
        );
    }
}

impl Retry {
    async fn run(self) -> Result<()> {
        let choice = &self.choice;
        let is_chosen =
            choice.reason.is_some() || choice.file.is_some() || choice.only.is_some() || !choice.id.is_empty();
        if self.mended.is_none() && !self.all && !is_chosen {
            return Err(Error::new(ErrorKind::Configuration, "no rejects are selected").hint(
                "name a file that ecom-ingest rejects export has written, or select rejects to retry unchanged: \
                 --reason CODE, --file PATH, --id N or --all",
            ));
        }
        let mapping = self.map.as_deref().map(Mapping::named).transpose()?;
        let console = self.database.console()?;
        let (retried, how_to_mend) = match &self.mended {
            Some(file) => {
                let retried = console.retry(file, mapping.as_ref(), self.nulls.rules()).await?;
                (
                    retried,
                    "correct them in the file and retry it: rows that are stored already are skipped",
                )
            }
            None => match as_they_are(&console, &self.choice.filter(), mapping.as_ref(), &self.nulls.rules()).await? {
                Some(retried) => (
                    retried,
                    "write them to files with ecom-ingest rejects export --to DIR, correct them, and retry the files",
                ),
                None => return output::text(&self.choice.none_found(&console).await?),
            },
        };
        tell(self.mended.as_deref(), &retried.rejected, mapping.is_some());
        let filtered = match retried.filtered {
            0 => String::new(),
            filtered => format!(" {} filtered,", count(filtered)),
        };
        output::line(&format!(
            "{} stored, {} duplicates,{filtered} {} retried before, {} still rejected",
            count(retried.stored),
            count(retried.duplicates),
            count(retried.already_resolved),
            count(retried.rejected.len() as u64),
        ))?;
        match retried.rejected.len() {
            0 => Ok(()),
            left => {
                let rows = if left == 1 { "row" } else { "rows" };
                Err(Error::new(ErrorKind::Source, format!("{left} {rows} still rejected")).hint(how_to_mend))
            }
        }
    }
}

/// Logs each row that is still rejected: where it is in the corrected file, or else where it was
/// originally.
fn tell(mended: Option<&Path>, refused: &[StillRejected], is_mapped: bool) {
    const MAX_TOLD: usize = 20;
    for refused in refused.iter().take(MAX_TOLD) {
        let id = refused.id.map(|id| format!("reject_id {id}"));
        let place = match (mended, &refused.first) {
            (Some(file), _) => Some(format!("{} record {}", file.display(), refused.record)),
            (None, Some((path, record))) => Some(format!("{path} record {record}")),
            (None, None) => None,
        };
        let what = Vec::from_iter([place, id].into_iter().flatten()).join(", ");
        let remedy =
            remedy(&refused.refusal.reason, is_mapped).map_or_else(String::new, |remedy| format!(" ({remedy})"));
        tracing::warn!("{what}: {}{remedy}", refused.refusal);
    }
    if refused.len() > MAX_TOLD {
        tracing::warn!("and {} more", refused.len() - MAX_TOLD);
    }
}

/// Exports the selected rejects to a private directory and retries them unchanged; `None` if
/// there are none.
async fn as_they_are(
    console: &Console,
    filter: &DeadLetterFilter,
    mapping: Option<&Mapping>,
    rules: &Rules,
) -> Result<Option<Retried>> {
    let dir = private_directory()?;
    let exported = console.export(filter, None, &dir).await;
    let retried = match &exported {
        Ok(exported) => retry_all(console, exported, mapping, rules).await,
        Err(_) => Ok(Retried::default()),
    };
    if let Err(err) = std::fs::remove_dir_all(&dir) {
        tracing::warn!("cannot remove {}: {err}", dir.display());
    }
    let exported = exported?;
    warn_of_left_out(&exported);
    let retried = retried?;
    let is_none = exported.letters == 0 && exported.headless.is_empty() && exported.unprintable.is_empty();
    Ok((!is_none).then_some(retried))
}

/// A new directory that nobody else can enter, so that others can neither read the rows nor
/// change them.
fn private_directory() -> Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("ecom-ingest-retry-{:032x}", rand::random::<u128>()));
    let made = DirBuilder::new().mode(0o700).create(&dir);
    made.map_err(|err| Error::new(ErrorKind::Sink, format!("cannot create {}", dir.display())).caused_by(err))?;
    Ok(dir)
}

/// Retries all exported files.
async fn retry_all(
    console: &Console,
    exported: &Exported,
    mapping: Option<&Mapping>,
    rules: &Rules,
) -> Result<Retried> {
    let mut all = Retried::default();
    for file in &exported.files {
        let retried = console.retry(&file.path, mapping, rules.clone()).await?;
        all.stored += retried.stored;
        all.duplicates += retried.duplicates;
        all.filtered += retried.filtered;
        all.already_resolved += retried.already_resolved;
        all.rejected.extend(retried.rejected);
    }
    all.rejected.sort_by_key(|refused| refused.id);
    Ok(all)
}
