use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_stream::try_stream;
use futures::Stream;
use rustix::fs::{Mode, OFlags};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::inbox::{Readiness, Ready};
use super::mark::{FileMark, Stamp};
use super::name::to_path;
use crate::csv::{Columns, CsvLimits, CsvReader, CsvRecord, End, HeaderStep, Resume, Step};
use crate::{Batch, Position, Reason, Refusal, Split, SplitState};

/// How files are read: the same for each file of a source.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) source: String,
    pub(super) dir: PathBuf,
    pub(super) columns: Columns,
    pub(super) limits: CsvLimits,
}

/// Reads one file from where it was left. The last position says how it ended; a file that is gone, or is no plain file
/// any more, gives no batch at all. An error leaves what was given out before it valid.
pub(super) fn read(reading: Reading, ready: Ready) -> impl Stream<Item = io::Result<Batch<CsvRecord>>> + Send {
    try_stream! {
        let Some((mut file, mut stamp)) = open(reading.dir.join(&ready.name)).await? else { return };
        crate::crash_point!("file.opened");
        let resumed = resume(&reading, &ready, &mut file, stamp).await?;
        let mut progress = Progress {
            split: resumed.split,
            stamp,
            unterminated: resumed.unterminated,
            blank_lines: resumed.blank_lines,
            ignored_columns: Vec::new(),
        };

        // The header is needed wherever reading goes on.
        file.rewind().await?;
        let mut reader = CsvReader::new(file, progress.split.clone(), reading.limits);
        let whole = match reader.read_header(&reading.columns).await? {
            HeaderStep::Empty => true,
            HeaderStep::Found { check: Ok(check), whole } => {
                if !check.ignored.is_empty() && resumed.from.is_none() {
                    tracing::info!(split = %progress.split, "ignored columns: {}", check.ignored.join(", "));
                }
                progress.ignored_columns = check.ignored;
                whole
            }
            // The end of the header may not be written yet.
            HeaderStep::Found { check: Err(_), whole: false } if !ready.readiness.is_whole() => false,
            HeaderStep::Found { check: Err(refusal), .. } => {
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
        if let Some(from) = resumed.from.filter(behind_header) {
            let header = reader.header().clone();
            let mut file = reader.into_input();
            file.seek(io::SeekFrom::Start(from.resume.seek_to())).await?;
            let grew_mid_record = from.grew_mid_record;
            reader = CsvReader::resume(file, progress.split.clone(), reading.limits, header, from.resume);
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
        loop {
            let mut step = reader.step().await?;
            // Whatever was taken by now ends with a terminator.
            progress.unterminated &= reader.offset() == began_at;
            let Some(end) = step.end.take() else {
                yield progress.batch(&reader, step, SplitState::Open);
                continue;
            };
            stamp = Stamp::of(&reader.input().metadata().await?);
            let truncated = stamp.size < reader.read_until();
            // If it was written to while it was read, what was read may be of two contents: the next look compares digests.
            let grew = stamp.size > reader.read_until() || stamp.mtime_ns != opened.mtime_ns;
            let state = match end {
                End::Damaged(refusal) => SplitState::Damaged(refusal),
                End::Clean | End::Tail if truncated => {
                    let detail = format!("it has {} bytes where {} were read", stamp.size, reader.read_until());
                    SplitState::Damaged(Refusal::new(Reason::TRUNCATED, detail))
                }
                End::Clean | End::Tail if grew => SplitState::Open,
                End::Clean if ready.readiness == Readiness::Growing => SplitState::Open,
                End::Clean => SplitState::Finished,
                End::Tail if !ready.readiness.is_whole() => SplitState::Open,
                End::Tail => {
                    yield progress.batch(&reader, step, SplitState::Open);
                    step = reader.take_tail();
                    match step.end.take() {
                        Some(End::Damaged(refusal)) => SplitState::Damaged(refusal),
                        _ => {
                            progress.unterminated = true;
                            SplitState::Finished
                        }
                    }
                }
            };
            // One that changed and ended in damage keeps its old stamp, and so counts as changed at the next look: what it
            // has now may be sound, or another generation.
            if state == SplitState::Open || !(truncated || grew) {
                progress.stamp = stamp;
            }
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
    ignored_columns: Vec<String>,
}

impl Progress {
    fn batch(&self, reader: &CsvReader<File>, step: Step, state: SplitState) -> Batch<CsvRecord> {
        let mark = FileMark {
            stamp: self.stamp,
            digest: reader.digest().to_hex().to_string(),
            unterminated: self.unterminated,
            blank_lines: self.blank_lines + reader.blank_lines(),
            ignored_columns: self.ignored_columns.clone(),
        };
        let mut batch = Batch {
            bytes: step.bytes,
            positions: vec![Position {
                split: self.split.clone(),
                offset: reader.offset(),
                record: reader.record(),
                state,
                mark: mark.to_mark(),
            }],
            ..Batch::default()
        };
        let read = step.records.len() + step.rejects.len();
        if read > 0 {
            batch.count_of(&self.split).read = read as u64;
        }
        batch.records = step.records;
        batch.rejects = step.rejects;
        batch
    }
}

/// Opens a plain file; `None` if there is none of that name. Never follows a symlink and never blocks on a FIFO.
async fn open(path: PathBuf) -> io::Result<Option<(File, Stamp)>> {
    let opened = tokio::task::spawn_blocking(move || open_plain(&path))
        .await
        .map_err(io::Error::other)??;
    Ok(opened.map(|(file, stamp)| (File::from_std(file), stamp)))
}

fn open_plain(path: &Path) -> io::Result<Option<(fs::File, Stamp)>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => fs::File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => return Ok(None),
        Err(err) => return Err(err.into()),
    };
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then(|| (file, Stamp::of(&metadata))))
}

/// Where reading of a file goes on.
struct Resumed {
    split: Split,
    /// `None` for the start.
    from: Option<ResumeAt>,
    unterminated: bool,
    blank_lines: u64,
}

struct ResumeAt {
    resume: Resume,
    grew_mid_record: bool,
}

/// Finds out whether the file still begins with what was read of it before.
async fn resume(reading: &Reading, ready: &Ready, file: &mut File, stamp: Stamp) -> io::Result<Resumed> {
    let from_start = |split| Resumed {
        split,
        from: None,
        unterminated: false,
        blank_lines: 0,
    };
    let Some(known) = &ready.known else {
        return Ok(from_start(Split::new(reading.source.as_str(), to_path(&ready.name))));
    };
    let mark = match FileMark::of(known) {
        Some(mark) if known.offset > 0 => mark,
        _ => return Ok(from_start(known.split.clone())),
    };
    if stamp.size >= known.offset {
        let digest = digest_prefix(file, known.offset).await?;
        if digest.finalize().to_hex().as_str() == mark.digest {
            let mut next = [0];
            let grew_mid_record =
                mark.unterminated && file.read(&mut next).await? == 1 && !matches!(next[0], b'\r' | b'\n');
            return Ok(Resumed {
                split: known.split.clone(),
                from: Some(ResumeAt {
                    resume: Resume {
                        offset: known.offset,
                        record: known.record,
                        digest,
                        behind_terminator: !mark.unterminated,
                    },
                    grew_mid_record,
                }),
                unterminated: mark.unterminated,
                blank_lines: mark.blank_lines,
            });
        }
    }
    let split = known.split.next_generation();
    tracing::warn!(%split, "the file has new content under its old name: reading it from the start");
    Ok(from_start(split))
}

/// Digests the first `len` bytes and leaves the file behind them.
async fn digest_prefix(file: &mut File, len: u64) -> io::Result<blake3::Hasher> {
    const CHUNK_BYTES: u64 = 256 << 10;
    let mut digest = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES.min(len) as usize];
    let mut left = len;
    while left > 0 {
        let want = left.min(CHUNK_BYTES) as usize;
        let read = file.read(&mut chunk[..want]).await?;
        if read == 0 {
            // It became shorter meanwhile: the digest will differ.
            break;
        }
        digest.update(&chunk[..read]);
        left -= read as u64;
    }
    Ok(digest)
}
