//! Reads one file: from where it was left to where it ends.

use std::io;

use async_stream::try_stream;
use futures::Stream;
use time::OffsetDateTime;
use tokio::io::AsyncRead;

use super::consistency::{Checked, ConsistencyCheck};
use super::directory::Directory;
use super::inbox::{Readiness, Ready};
use super::mark::{FileMark, FileStat, MarkDialect, depends_on_dialect};
use super::read_files::{ReadFiles, ReadPrefix};
use super::resolve::{ResumeAt, resolve_split, seek_to_resume};
use super::traced_file::TracedFile;
use super::unterminated_record::UnterminatedRecord;
use crate::contract::{Batch, Position, Reason, Refusal, Split, SplitState};
use crate::csv::{Columns, Compression, Content, CsvLimits, CsvReader, CsvRecord, Dialect, End, HeaderStep, Step};

/// The settings for reading a file, the same for all files of a source.
#[derive(Debug, Clone)]
pub(super) struct FileReadConfig<D> {
    /// The name of the source.
    pub(super) source: String,
    pub(super) dir: D,
    pub(super) columns: Columns,
    pub(super) limits: CsvLimits,
    pub(super) dialect: Dialect,
    /// The fingerprint of the mapping.
    pub(super) mapping: Option<String>,
    /// What this run remembers of the files.
    pub(super) read_files: ReadFiles,
    pub(super) unterminated_record: UnterminatedRecord,
    /// Tells this way of reading headers from another: goes into the mark of a file that is set aside.
    pub(super) header_hash: String,
}

/// Reads one file that was opened, from where it was left, as a stream of batches. The stream ends with the file.
///
/// The state of the last position says how that was:
///
/// | state | meaning |
/// |---|---|
/// | `Open` | all complete records were read; the file may grow, or its last record waits for a line end |
/// | `Finished` | everything was read |
/// | `Damaged` | everything before the damage was read |
/// | `SetAside` | nothing was read, since the header does not fit |
///
/// A file that does not exist any more gives no batch.
///
/// # Errors
///
/// When the file cannot be read, or changed while it was opened. Batches before the error stay valid; a later try resolves the
/// file anew.
pub(super) fn read_file<D: Directory>(
    config: FileReadConfig<D>,
    ready: Ready,
    opened: io::Result<Option<(D::File, FileStat)>>,
) -> impl Stream<Item = io::Result<Batch<CsvRecord>>> + Send {
    try_stream! {
        let Some((file, mut stat)) = opened? else { return };
        // An empty file has nothing to decompress, whatever its name says.
        let mut form = config.dir.form_of(&ready.name);
        let opened_empty = stat.size == 0 && form.compression != Compression::None;
        if stat.size == 0 {
            form.compression = Compression::None;
        }
        let mut consistency = ConsistencyCheck::new(&config.dir, stat);
        if !consistency.tells_changes() {
            config.read_files.add_recent(&ready.name);
        }
        let mut file = TracedFile::new(file);
        if !consistency.tells_changes() || ready.known.is_some() || ready.readiness == Readiness::Growing {
            file.trace();
        }
        let mut file = Content::new(file, form);
        crate::crash_point!("file.opened");
        let resolved = resolve_split(&config.dir, &config.source, &ready, &mut file, stat).await?;
        let dialect = config.dialect.of_file(&ready.name, resolved.delimiter);
        let mut ready = ready;
        if (resolved.was_renamed || ready.stat != stat) && ready.readiness == Readiness::Renamed {
            // It existed before it was renamed, or it changed since, and its writer may still have it open.
            ready.readiness = Readiness::Closed;
        }
        if resolved.end_counts {
            ready.readiness = Readiness::Renamed;
        }
        let mut template = PositionTemplate {
            split: resolved.split,
            stat,
            unterminated: resolved.unterminated,
            waits_for_line_end: false,
            blank_lines: resolved.blank_lines,
            changing: false,
            copy_of: resolved.copy_of,
            ended: resolved.ended,
            header_hash: config.header_hash.clone(),
            columns: Vec::new(),
            ignored_columns: Vec::new(),
            mapping: config.mapping.clone(),
            dialect: None,
        };

        // The header is read in any case: it names the columns.
        if resolved.was_read {
            file.seek_to(0).await?;
        }
        let split = template.split.clone();
        let (mut reader, header) = CsvReader::open(file, split, config.limits, dialect, &config.columns).await?;
        if opened_empty && reader.read_until() > 0 {
            Err(written_while_opened())?;
        }
        template.dialect = MarkDialect::of(&reader.head().dialect);
        let had_records = resolved.from.as_ref().is_some_and(|from| from.resume.record > 0);
        // Once records were read, the first one that is not UTF-8 ends it.
        let header = match had_records {
            true => header,
            false => header.refuse_wrong_encoding(),
        };
        let is_fine = matches!(header, HeaderStep::Found { check: Ok(_), whole: true });
        let is_before = |from: &ResumeAt| reader.offset() <= from.resume.offset;
        if had_records && !(is_fine && resolved.from.as_ref().is_some_and(is_before)) {
            // The header fitted when the records were read, so the file has changed since it was resolved.
            Err(io::Error::other("it was rewritten while it was opened"))?;
        }
        let whole = match header {
            HeaderStep::Empty => true,
            HeaderStep::Found { check: Ok(check), whole } => {
                if !check.ignored.is_empty() && resolved.from.is_none() {
                    tracing::info!(split = %template.split, "columns that are not read: {}", check.ignored.join(", "));
                }
                template.columns = check.header.names().to_vec();
                template.ignored_columns = check.ignored;
                whole
            }
            // The rest of the header may not be written yet.
            HeaderStep::Found { check: Err(_), whole: false } if !ready.readiness.is_whole() => false,
            HeaderStep::Found { check: Err(refusal), .. } => {
                if D::stat_open(reader.input().file()?.file()).await? != stat {
                    Err(io::Error::other("it was modified while its header was read"))?;
                }
                tracing::warn!(split = %template.split, "set aside: {refusal}");
                yield template.batch(&reader, Step::default(), SplitState::SetAside(refusal));
                return;
            }
        };
        if !whole {
            let state = match config.end_counts(ready.readiness) && !reader.ends_in_zeros() {
                true => SplitState::Finished,
                false => SplitState::Open,
            };
            template.waits_for_line_end = state == SplitState::Open && ready.readiness == Readiness::Settled;
            yield template.batch(&reader, Step::default(), state);
            return;
        }
        // If the file had only blank lines before, its header comes after the offset.
        let behind_header = |from: &ResumeAt| from.resume.offset >= reader.offset();
        if let Some(from) = resolved.from.filter(behind_header) {
            let head = reader.head().clone();
            let mut file = reader.into_input();
            consistency.resume_behind(&from.resume, file.is_plain());
            seek_to_resume(&mut file, &from.resume).await?;
            let grew_mid_record = from.grew_mid_record;
            reader = CsvReader::resume(file, template.split.clone(), config.limits, head, from.resume);
            if grew_mid_record {
                let refusal = Refusal::new(
                    Reason::GREW_MID_RECORD,
                    "the record before was stored as it was then, without a line end: this is the rest of its line",
                );
                tracing::warn!(split = %template.split, offset = reader.offset(), "a record has grown: {refusal}");
                reader.refuse_next(refusal);
            }
        } else if !ready.readiness.is_whole() && stat.size == 0 {
            // Its writer has created it and not written yet.
            yield template.batch(&reader, Step::default(), SplitState::Open);
            return;
        }

        crate::crash_point!("file.header_read");
        let (opened, began_at) = (stat, reader.offset());
        let is_renamed = ready.readiness == Readiness::Renamed;
        let waits = config.unterminated_record == UnterminatedRecord::Wait;
        // A last record that was accepted without a line end may have been continued since the file was resolved.
        let began_mid_line = template.unterminated;
        let began_unterminated = began_mid_line && reader.next_refusal().is_none();
        let goes_on_mid_record = |step: &Step| began_unterminated && step.first_offset() == Some(began_at);
        loop {
            let behind_terminator = reader.offset() > began_at || !began_mid_line;
            let (from, blank_lines) = (reader.resume_at(behind_terminator), reader.blank_lines());
            let refuses_next = reader.next_refusal().cloned();
            let mut step = reader.step().await?;
            if opened_empty && reader.read_until() > 0 {
                Err(written_while_opened())?;
            }
            if consistency.check(&config.dir, reader.input_mut()).await? == Checked::Unknown {
                let head = reader.head().clone();
                let mut file = reader.into_input();
                consistency.go_back(&mut file, &from).await?;
                seek_to_resume(&mut file, &from).await?;
                template.blank_lines += blank_lines;
                reader = CsvReader::resume(file, template.split.clone(), config.limits, head, from);
                if let Some(refusal) = refuses_next {
                    reader.refuse_next(refusal);
                }
                continue;
            }
            if goes_on_mid_record(&step) {
                Err(io::Error::other("it grew while it was opened"))?;
            }
            // Once a further record was read, a line end follows the last one.
            template.unterminated &= reader.offset() == began_at;
            let Some(end) = step.end.take() else {
                yield template.batch(&reader, step, SplitState::Open);
                continue;
            };
            stat = D::stat_open(reader.input().file()?.file()).await?;
            let read_until = reader.read_until().max(reader.offset());
            // Compressed data say themselves where they end, and a converted text has another size, so the size is not compared.
            let is_plain = reader.input().is_plain();
            let truncated = is_plain && stat.size < read_until;
            // If the file was modified while it was read, parts of two contents may have been read. The next try compares digests.
            let changed = stat != opened;
            let grew = is_plain && stat.size > read_until || changed;
            // Space that was allocated and not written yet is no content, however much it is.
            let is_allocated = reader.ends_in_zeros();
            let state = match end {
                End::Damaged(refusal) if refusal.reason == Reason::RECORD_TOO_LARGE && is_allocated => {
                    template.waits_for_line_end = ready.readiness != Readiness::Growing && stat == opened;
                    SplitState::Open
                }
                End::Damaged(refusal) if refusal.reason == Reason::COMPRESSED_TRUNCATED && !ready.readiness.is_whole() => {
                    SplitState::Open
                }
                End::Damaged(refusal) => SplitState::Damaged(refusal),
                End::Clean | End::Tail if truncated => {
                    let detail = format!("the file has {} bytes, and {read_until} were read: it was truncated meanwhile", stat.size);
                    SplitState::Damaged(Refusal::new(Reason::TRUNCATED, detail))
                }
                End::Clean | End::Tail if grew => SplitState::Open,
                End::Clean if ready.readiness == Readiness::Growing => SplitState::Open,
                End::Clean => SplitState::Finished,
                End::Tail if ready.readiness == Readiness::Growing => SplitState::Open,
                End::Tail if is_allocated || waits && !is_renamed && !reader.tail_is_quoted() => {
                    template.waits_for_line_end = true;
                    SplitState::Open
                }
                End::Tail if !ready.readiness.is_whole() => SplitState::Open,
                End::Tail => {
                    yield template.batch(&reader, step, SplitState::Open);
                    step = reader.take_tail();
                    if goes_on_mid_record(&step) {
                        Err(io::Error::other("it grew while it was opened"))?;
                    }
                    match step.end.take() {
                        Some(End::Damaged(refusal)) => SplitState::Damaged(refusal),
                        _ => {
                            template.unterminated = true;
                            SplitState::Finished
                        }
                    }
                }
            };
            // Its new content may be valid, or another generation: an equal `stat` must not keep it from being read.
            // What is behind the damage of a file that did not change was there before, and needs no other look.
            template.changing = state.refusal().is_some() && (truncated || changed);
            template.stat = stat;
            if let Some(refusal) = state.refusal() {
                tracing::warn!(split = %template.split, offset = reader.offset(), "damaged: {refusal}");
            }
            if reader.input().has_rubbish() {
                tracing::warn!(split = %template.split, "what is behind the gzip data is none, and is ignored, as gunzip does");
            }
            if consistency.tells_changes() {
                config.read_files.remove_recent(&ready.name);
            }
            if state.refusal().is_none() && is_plain {
                let digest = reader.digest().clone();
                let compared = ready.grown_from.as_ref().map_or(digest.len(), |grown| grown.compared);
                let split = template.split.clone();
                config.read_files.add_prefix(&ready.name, ReadPrefix { split, stat, digest, compared });
            }
            if template.waits_for_line_end {
                let what = match is_allocated {
                    true => "the file ends in zeros",
                    false => "the last record has no line end",
                };
                tracing::warn!(split = %template.split, offset = reader.offset(), "{what}: what is behind this offset waits until the file goes on");
            }
            yield template.batch(&reader, step, state);
            return;
        }
    }
}

/// The error for a compressed file that was empty when it was opened: what is read now would not be decompressed.
fn written_while_opened() -> io::Error {
    io::Error::other("it was empty, and was written while it was opened")
}

impl<D> FileReadConfig<D> {
    /// Whether the end of the file is the end of its last line.
    fn end_counts(&self, readiness: Readiness) -> bool {
        let is_stored = self.unterminated_record == UnterminatedRecord::Store;
        readiness == Readiness::Renamed || readiness == Readiness::Settled && is_stored
    }
}

impl Readiness {
    /// Whether the file is not being written at the moment.
    fn is_whole(self) -> bool {
        matches!(self, Self::Renamed | Self::Settled)
    }
}

/// What every position of a file has in common.
struct PositionTemplate {
    split: Split,
    stat: FileStat,
    unterminated: bool,
    waits_for_line_end: bool,
    blank_lines: u64,
    changing: bool,
    copy_of: Option<String>,
    /// The ends of other splits. They leave with the next batch, once.
    ended: Vec<Position>,
    header_hash: String,
    columns: Vec<String>,
    ignored_columns: Vec<String>,
    mapping: Option<String>,
    dialect: Option<MarkDialect>,
}

impl PositionTemplate {
    /// The batch of a step, with the position after it.
    fn batch<F: AsyncRead + Unpin + Send>(
        &mut self,
        reader: &CsvReader<F>,
        step: Step,
        state: SplitState,
    ) -> Batch<CsvRecord> {
        let mark = FileMark {
            stat: self.stat,
            digest: reader.digest().hash().to_hex().to_string(),
            unterminated: self.unterminated,
            waits_for_line_end: self.waits_for_line_end,
            blank_lines: self.blank_lines + reader.blank_lines(),
            changing: self.changing,
            copy_of: self.copy_of.clone(),
            renamed_to: None,
            header_hash: depends_on_dialect(&state).then(|| self.header_hash.clone()),
            columns: self.columns.clone(),
            ignored_columns: self.ignored_columns.clone(),
            mapped: self.mapping.is_some(),
            mapping: self.mapping.clone(),
            dialect: self.dialect.clone(),
        };
        let position = Position {
            split: self.split.clone(),
            offset: reader.offset(),
            record: reader.record(),
            state,
            mark: mark.to_mark(),
        };
        let mut batch = Batch {
            bytes: step.bytes,
            positions: self.ended.drain(..).chain([position]).collect(),
            ..Batch::default()
        };
        let read = step.records.len() + step.rejects.len();
        if read > 0 {
            batch.count_of(&self.split).read = read as u64;
        }
        if let Ok(written) = OffsetDateTime::from_unix_timestamp_nanos(self.stat.mtime_ns.into()) {
            batch.times.saw_input(written);
        }
        batch.records = step.records;
        batch.rejects = step.rejects;
        batch
    }
}
