//! Checks a file without a database: which events it would give, which records would be rejected, and why.
//!
//! `check_file` reads the file as a pipeline would and keeps a few examples with their byte offsets in a `CheckedFile`. A second pass
//! over the file (`lines`) turns the offsets into line numbers, so the first pass counts no lines. `doubts` are about events that the
//! rules accept, though real ones are hardly like that.

mod checked_file;
mod doubts;
mod lines;

use std::io;
use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;

pub use checked_file::{CheckedFile, Example, FilteredByRule, RejectsByReason};
pub use doubts::Doubt;
use doubts::Observed;

use crate::contract::{Error, ErrorKind, Origin, Refusal, Result, Split};
use crate::csv::CsvLimits;
use crate::csv::{Content, is_to_be_read, to_path};
use crate::csv::{CsvReader, End, HeaderStep, Step};
use crate::event::BoundRules;
use crate::event::mapping::{LeftOut, Mapping};
use crate::event::{Event, Rules, null_words_in};

/// Reads a file as a pipeline with this mapping and these rules would, and reports what would become of it. It keeps the first
/// `examples` events, and as many rejected records of each reason. The memory is bounded, whatever the size of the file.
///
/// Duplicates are not detected: only the database knows them.
///
/// ```
/// use ecom_stream::{Reason, Rules, check::check_file};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("events.csv");
/// std::fs::write(&path, "event_time,event_type,user_id,session_id,product_id\n\
///                        2026-11-01T12:00:00Z,view,u1,s1,p1\n\
///                        yesterday,view,u2,s2,p2\n")?;
/// let checked = check_file(&path, None, Rules::default(), 10).await?;
/// assert_eq!((checked.accepted, checked.rejected_count()), (1, 1));
/// assert_eq!(checked.rejected[&Reason::EVENT_TIME_MALFORMED].examples[0].line, 3);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Source`] when the file can't be read. Bad content is never an error: it is part of the report.
pub async fn check_file(
    path: impl AsRef<Path>,
    mapping: Option<&Mapping>,
    rules: Rules,
    examples: usize,
) -> Result<CheckedFile> {
    let path = path.as_ref();
    let unreadable = |err: io::Error| {
        let message = format!("can't read {}", path.display());
        let is_directory = err.kind() == io::ErrorKind::IsADirectory;
        let err = Error::new(ErrorKind::Source, message).caused_by(err);
        match is_directory {
            true => err.hint("it is a directory: name the files in it"),
            false => err,
        }
    };
    let rules = match mapping {
        Some(mapping) => rules.mapping(mapping.clone()),
        None => rules,
    };
    let mut check = Check {
        rules,
        now: OffsetDateTime::now_utc(),
        examples,
        price_column: match mapping {
            Some(mapping) => mapping.column_of("price").map(str::to_owned),
            None => Some("price".to_owned()),
        },
        observed: Observed::default(),
        found: CheckedFile {
            is_read_by_name: path.file_name().is_some_and(is_to_be_read),
            ..CheckedFile::default()
        },
    };
    let charset = mapping.and_then(|mapping| mapping.dialect().charset);
    check.read(path, mapping).await.map_err(unreadable)?;
    let mut found = check.found;
    found.doubts = check.observed.doubts();
    lines::number(path, charset, &mut found).await.map_err(unreadable)?;
    Ok(found)
}

/// A check that is under way: the rules, and what was found so far.
struct Check {
    rules: Rules,
    /// The time of the check, against which the rules compare event times.
    now: OffsetDateTime,
    /// How many examples are kept of the events, and of each reason.
    examples: usize,
    /// The column of prices in the file.
    price_column: Option<String>,
    observed: Observed,
    found: CheckedFile,
}

impl Check {
    /// Reads the file at `path` into `found`. An error is an I/O error.
    async fn read(&mut self, path: &Path, mapping: Option<&Mapping>) -> io::Result<()> {
        let charset = mapping.and_then(|mapping| mapping.dialect().charset);
        let content = Content::open(path, charset).await?;
        // The path as it was given, so that a mapping finds values in its directories.
        let split = Split::new("csv", to_path(path.as_os_str()));
        let (columns, dialect) = match mapping {
            Some(mapping) => (mapping.columns(), mapping.dialect().clone()),
            None => (Event::columns(), crate::csv::Dialect::default()),
        };
        let dialect = dialect.of_file(path.as_os_str(), None);
        let (mut reader, header) = CsvReader::open(content, split, CsvLimits::default(), dialect, &columns).await?;
        match header.refuse_wrong_encoding() {
            HeaderStep::Empty => return Ok(()),
            HeaderStep::Found {
                check: Ok(check),
                whole,
            } => {
                self.found.ignored_columns = check.ignored;
                if !whole {
                    return Ok(());
                }
            }
            HeaderStep::Found {
                check: Err(refusal), ..
            } => {
                self.found.unusable = Some(refusal);
                self.found.unread_lines = lines::count(path, charset).await?.saturating_sub(1);
                if mapping.is_none() {
                    self.found.ready_mapping = ready_mapping_for(path).await?;
                }
                return Ok(());
            }
        }
        let mut bound_rules = BoundRules::new(&self.rules, &Arc::clone(reader.header()));
        loop {
            let mut step = reader.step().await?;
            let end = step.end.take();
            self.validate(step, &mut bound_rules);
            match end {
                None => {}
                Some(End::Clean) => return Ok(()),
                Some(End::Tail) => {
                    let mut tail = reader.take_tail();
                    if let Some(End::Damaged(refusal)) = tail.end.take() {
                        self.found.unusable = Some(refusal);
                    }
                    self.validate(tail, &mut bound_rules);
                    return Ok(());
                }
                Some(End::Damaged(refusal)) => {
                    self.found.unusable = Some(refusal);
                    return Ok(());
                }
            }
        }
    }

    /// Applies the rules to each record of a step, and counts its rejects.
    fn validate(&mut self, step: Step, bound_rules: &mut BoundRules) {
        for reject in step.rejects {
            self.count_reject(reject.origin.as_ref(), reject.refusal);
        }
        for record in step.records {
            let origin = record.origin.as_ref();
            match bound_rules.event(&self.rules, &record.value, origin, "", self.now) {
                Ok(None) => self.count_filtered(origin, bound_rules.left_out(&record.value)),
                Ok(Some(event)) => {
                    self.found.accepted += 1;
                    for (field, text) in null_words_in(&event) {
                        *self.found.null_words.entry((field, text.to_owned())).or_default() += 1;
                    }
                    let price = self
                        .price_column
                        .as_deref()
                        .and_then(|name| record.value.header().index_of(name));
                    let price = price.and_then(|at| record.value.field(at));
                    self.observed.add(&event, price.filter(|text| !text.is_empty()));
                    if self.found.events.len() < self.examples
                        && let Some(origin) = origin
                    {
                        self.found.events.push(Example::new(origin, event));
                    }
                }
                Err(refusal) => self.count_reject(origin, refusal),
            }
        }
    }

    /// Counts a record that is left out under its rule, and keeps it if there are too few examples yet.
    fn count_filtered(&mut self, origin: Option<&Origin>, left_out: Option<LeftOut<'_>>) {
        let Some(left_out) = left_out else { return };
        let found = self.found.filtered.entry(left_out.rule()).or_default();
        found.count += 1;
        if found.examples.len() < self.examples
            && let Some(origin) = origin
        {
            let raw = String::from_utf8_lossy(&origin.raw).into_owned();
            found.examples.push(Example::new(origin, (left_out.detail(), raw)));
        }
    }

    /// Counts a rejected record under its reason, and keeps it if there are too few examples yet.
    fn count_reject(&mut self, origin: Option<&Origin>, refusal: Refusal) {
        let found = self.found.rejected.entry(refusal.reason).or_default();
        found.count += 1;
        if found.examples.len() < self.examples
            && let Some(origin) = origin
        {
            let raw = String::from_utf8_lossy(&origin.raw).into_owned();
            found.examples.push(Example::new(origin, (refusal.detail, raw)));
        }
    }
}

impl<T> Example<T> {
    fn new(origin: &Origin, value: T) -> Self {
        Self {
            line: 0,
            record: origin.record,
            value,
            byte_offset: origin.byte_offset,
        }
    }
}

#[cfg(not(feature = "mapping"))]
async fn ready_mapping_for(_: &Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

/// The name of the first ready mapping whose columns the header of the file has.
#[cfg(feature = "mapping")]
async fn ready_mapping_for(path: &Path) -> io::Result<Option<&'static str>> {
    for (name, text) in Mapping::ready() {
        let Ok(mapping) = Mapping::from_toml(text) else {
            continue;
        };
        // Files without a header all have the names that the mapping gives.
        if mapping.dialect().columns.is_some() {
            continue;
        }
        let split = Split::new("csv", to_path(path.as_os_str()));
        let content = Content::open(path, mapping.dialect().charset).await?;
        let (dialect, columns) = (mapping.dialect().clone(), mapping.columns());
        let (_, header) = CsvReader::open(content, split, CsvLimits::default(), dialect, &columns).await?;
        if matches!(header, HeaderStep::Found { check: Ok(_), .. }) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
