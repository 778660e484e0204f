use std::io;

use async_stream::try_stream;
use futures::Stream;
use time::OffsetDateTime;
use tokio::io::AsyncRead;

use super::directory::Directory;
use super::identity::{ResumeAt, identify};
use super::inbox::{Readiness, Ready};
use super::mark::{FileMark, Stamp, Written};
use crate::contract::{Batch, Position, Reason, Refusal, Split, SplitState};
use crate::csv::{Columns, Compression, Content, CsvLimits, CsvReader, CsvRecord, Dialect, End, HeaderStep, Step};

/// How files are read: the same for each file of a source.
#[derive(Debug, Clone)]
pub(super) struct Reading<D> {
    pub(super) source: String,
    pub(super) dir: D,
    pub(super) columns: Columns,
    pub(super) limits: CsvLimits,
    pub(super) dialect: Dialect,
    /// The fingerprint of the mapping.
    pub(super) mapping: Option<String>,
    /// Tells this way to read headers from others.
    pub(super) layout: String,
}

/// Reads one file, as it was opened, from where it was left. The last position says how it ended; a file that is gone, or is no plain file
/// any more, gives no batch at all. An error leaves what was given out before it valid.
pub(super) fn read<D: Directory>(
    reading: Reading<D>,
    ready: Ready,
    opened: io::Result<Option<(D::File, Stamp)>>,
) -> impl Stream<Item = io::Result<Batch<CsvRecord>>> + Send {
    try_stream! {
        let Some((file, mut stamp)) = opened? else { return };
        // One that is empty has nothing to decompress.
        let compression = match stamp.size {
            0 => Compression::None,
            _ => Compression::of(&ready.name),
        };
        let mut file = Content::new(file, compression);
        crate::crash_point!("file.opened");
        let identity = identify(&reading.dir, &reading.source, &ready, &mut file, stamp).await?;
        let mut ready = ready;
        if identity.renamed_from.is_some() && ready.readiness == Readiness::Renamed {
            // It was there before, and whoever writes it may have it open still.
            ready.readiness = Readiness::Closed;
        }
        let mut progress = Progress {
            split: identity.split,
            stamp,
            unterminated: identity.unterminated,
            blank_lines: identity.blank_lines,
            changing: false,
            copy_of: identity.copy_of,
            renamed_from: identity.renamed_from,
            layout: reading.layout.clone(),
            columns: Vec::new(),
            ignored_columns: Vec::new(),
            mapping: reading.mapping.clone(),
            written: Written::of(&reading.dialect),
        };

        // The header is needed wherever reading goes on.
        if identity.was_read {
            file.seek_to(0).await?;
        }
        let mut reader = CsvReader::new(file, progress.split.clone(), reading.limits, reading.dialect.clone());
        let header = reader.read_header(&reading.columns).await?;
        let had_records = identity.from.as_ref().is_some_and(|from| from.resume.record > 0);
        let is_fine = matches!(header, HeaderStep::Found { check: Ok(_), whole: true });
        let is_before = |from: &ResumeAt| reader.offset() <= from.resume.offset;
        if had_records && !(is_fine && identity.from.as_ref().is_some_and(is_before)) {
            // The header was fine when those were read: what it is now is for the next look to tell.
            Err(io::Error::other("it was rewritten while it was opened"))?;
        }
        let whole = match header {
            HeaderStep::Empty => true,
            HeaderStep::Found { check: Ok(check), whole } => {
                if !check.ignored.is_empty() && identity.from.is_none() {
                    tracing::info!(split = %progress.split, "ignored columns: {}", check.ignored.join(", "));
                }
                progress.columns = check.header.names().to_vec();
                progress.ignored_columns = check.ignored;
                whole
            }
            // The end of the header may not be written yet.
            HeaderStep::Found { check: Err(_), whole: false } if !ready.readiness.is_whole() => false,
            HeaderStep::Found { check: Err(refusal), .. } => {
                if D::stamp(reader.input().file()?).await? != stamp {
                    Err(io::Error::other("it changed while its header was read"))?;
                }
                tracing::warn!(split = %progress.split, "set aside: {refusal}");
                yield progress.batch(&reader, Step::default(), SplitState::SetAside(refusal));
                return;
            }
        };
        if !whole {
            let state = match ready.readiness.is_whole() {
                true => SplitState::Finished,
                false => SplitState::Open,
            };
            yield progress.batch(&reader, Step::default(), state);
            return;
        }
        // Blank lines in front of a header may have been all there was.
        let behind_header = |from: &ResumeAt| from.resume.offset >= reader.offset();
        if let Some(from) = identity.from.filter(behind_header) {
            let header = reader.header().clone();
            let mut file = reader.into_input();
            file.seek_to(from.resume.seek_to()).await?;
            let grew_mid_record = from.grew_mid_record;
            let dialect = reading.dialect.clone();
            reader = CsvReader::resume(file, progress.split.clone(), reading.limits, dialect, header, from.resume);
            if grew_mid_record {
                let refusal = Refusal::new(
                    Reason::GREW_MID_RECORD,
                    "the file went on after its last record had been taken as whole, without a line end in between",
                );
                tracing::warn!(split = %progress.split, "damaged: {refusal}");
                yield progress.batch(&reader, Step::default(), SplitState::Damaged(refusal));
                return;
            }
        } else if !ready.readiness.is_whole() && stamp.size == 0 {
            // Its writer has opened it and not begun.
            yield progress.batch(&reader, Step::default(), SplitState::Open);
            return;
        }

        crate::crash_point!("file.header_read");
        let (opened, began_at) = (stamp, reader.offset());
        // What was taken as a whole record may have got more behind it since it was looked at.
        let began_unterminated = progress.unterminated;
        let goes_on_mid_record = |step: &Step| began_unterminated && step.first_offset() == Some(began_at);
        loop {
            let mut step = reader.step().await?;
            if goes_on_mid_record(&step) {
                Err(io::Error::other("it grew while it was opened"))?;
            }
            // Whatever was taken by now ends with a terminator.
            progress.unterminated &= reader.offset() == began_at;
            let Some(end) = step.end.take() else {
                yield progress.batch(&reader, step, SplitState::Open);
                continue;
            };
            stamp = D::stamp(reader.input().file()?).await?;
            let read_until = reader.read_until().max(reader.offset());
            // What is compressed says itself where it ends.
            let is_compressed = reader.input().is_compressed();
            let truncated = !is_compressed && stamp.size < read_until;
            // If it was written to while it was read, what was read may be of two contents: the next look compares digests.
            let grew = !is_compressed && stamp.size > read_until || stamp != opened;
            let state = match end {
                End::Damaged(refusal) if refusal.reason == Reason::COMPRESSED_TRUNCATED && !ready.readiness.is_whole() => {
                    SplitState::Open
                }
                End::Damaged(refusal) => SplitState::Damaged(refusal),
                End::Clean | End::Tail if truncated => {
                    let detail = format!("it has {} bytes where {read_until} were read", stamp.size);
                    SplitState::Damaged(Refusal::new(Reason::TRUNCATED, detail))
                }
                End::Clean | End::Tail if grew => SplitState::Open,
                End::Clean if ready.readiness == Readiness::Growing => SplitState::Open,
                End::Clean => SplitState::Finished,
                End::Tail if !ready.readiness.is_whole() => SplitState::Open,
                End::Tail => {
                    yield progress.batch(&reader, step, SplitState::Open);
                    step = reader.take_tail();
                    if goes_on_mid_record(&step) {
                        Err(io::Error::other("it grew while it was opened"))?;
                    }
                    match step.end.take() {
                        Some(End::Damaged(refusal)) => SplitState::Damaged(refusal),
                        _ => {
                            progress.unterminated = true;
                            SplitState::Finished
                        }
                    }
                }
            };
            // What it has now may be sound, or another generation.
            progress.changing = state.refusal().is_some() && (truncated || grew);
            progress.stamp = stamp;
            if let Some(refusal) = state.refusal() {
                tracing::warn!(split = %progress.split, offset = reader.offset(), "damaged: {refusal}");
            }
            yield progress.batch(&reader, step, state);
            return;
        }
    }
}

impl Readiness {
    /// Whether the end of the file is the end of its last record.
    fn is_whole(self) -> bool {
        matches!(self, Self::Renamed | Self::Settled)
    }
}

/// What goes into every position of a file.
struct Progress {
    split: Split,
    stamp: Stamp,
    unterminated: bool,
    blank_lines: u64,
    changing: bool,
    copy_of: Option<String>,
    /// Goes out once.
    renamed_from: Option<Position>,
    layout: String,
    columns: Vec<String>,
    ignored_columns: Vec<String>,
    mapping: Option<String>,
    written: Option<Written>,
}

impl Progress {
    fn batch<F: AsyncRead + Unpin + Send>(
        &mut self,
        reader: &CsvReader<F>,
        step: Step,
        state: SplitState,
    ) -> Batch<CsvRecord> {
        let mark = FileMark {
            stamp: self.stamp,
            digest: reader.digest().to_hex().to_string(),
            unterminated: self.unterminated,
            blank_lines: self.blank_lines + reader.blank_lines(),
            changing: self.changing,
            copy_of: self.copy_of.clone(),
            renamed_to: None,
            layout: matches!(state, SplitState::SetAside(_)).then(|| self.layout.clone()),
            columns: self.columns.clone(),
            ignored_columns: self.ignored_columns.clone(),
            mapped: self.mapping.is_some(),
            mapping: self.mapping.clone(),
            written: self.written.clone(),
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
            positions: self.renamed_from.take().into_iter().chain([position]).collect(),
            ..Batch::default()
        };
        let read = step.records.len() + step.rejects.len();
        if read > 0 {
            batch.count_of(&self.split).read = read as u64;
        }
        if let Ok(written) = OffsetDateTime::from_unix_timestamp_nanos(self.stamp.mtime_ns.into()) {
            batch.times.saw_input(written);
        }
        batch.records = step.records;
        batch.rejects = step.rejects;
        batch
    }
}
