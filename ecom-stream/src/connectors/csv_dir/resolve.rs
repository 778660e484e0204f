//! Which split a file is, found by comparing its content with what was read before.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;

use memchr::memrchr2;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeek};

use super::directory::Directory;
use super::inbox::Ready;
use super::mark::{FileMark, FileStat};
use super::read_files::ReadPrefix;
use super::scan::StatResult;
use super::traced_file::{TracedFile, has_ends_of};
use crate::contract::{Position, Reason, Refusal, Split, SplitState};
use crate::csv::{Content, PrefixDigest, Resume, Unreadable, from_path, to_path};

/// The split that a file is, and where reading resumes.
pub(super) struct ResolvedSplit {
    pub(super) split: Split,
    /// `None` to read from the start.
    pub(super) from: Option<ResumeAt>,
    /// The fields of the last mark that go on from there.
    pub(super) unterminated: bool,
    pub(super) blank_lines: u64,
    /// The path of the finished split that it is a copy of.
    pub(super) copy_of: Option<String>,
    /// Whether the file was read for the comparison, so that it is not at its start any more.
    pub(super) was_read: bool,
    /// Whether it was read under another name before.
    pub(super) was_renamed: bool,
    /// Whether a last record without a line end is complete, because it counted so before the file is read again.
    pub(super) end_counts: bool,
    /// The positions that end other splits: that of its former name, and that of the content that it replaces. They go into
    /// the next batch.
    pub(super) ended: Vec<Position>,
    /// The delimiter by which records of the file were read before. It stays when the file gets a name with another one.
    pub(super) delimiter: Option<u8>,
}

/// Where reading of a file resumes.
pub(super) struct ResumeAt {
    pub(super) resume: Resume,
    /// Whether the last record was accepted without a line end, and is now followed by more than one: it was not complete.
    pub(super) grew_mid_record: bool,
}

/// Finds out which split a file is.
///
/// | the file begins with | and | then it is |
/// |---|---|---|
/// | what was read of its own path | | that split, and reading goes on |
/// | what was read of another, unfinished split | that path has no file, or another one | that split, renamed; reading goes on |
/// | all bytes of a finished split | has no more | a copy, which is not read |
/// | what was read of some of these | all of them are [read again](Ready::read_again) | a new generation of its path, or a new split; the others are withdrawn |
/// | something else | its path is known | a new generation of its path |
/// | something else | its path is new | a new split |
///
/// If several match, the split that was read furthest counts. Bytes are compared by the digest up to the offset of the
/// split; the file is read once, whatever the number of candidates. Of a file that has only grown since this run read it, just the
/// ends of what was read are compared.
///
/// # Errors
///
/// When the file cannot be read, or was renamed meanwhile: the caller tries again later.
pub(super) async fn resolve_split<D: Directory>(
    dir: &D,
    source: &str,
    ready: &Ready,
    file: &mut Content<TracedFile<D::File>>,
    stat: FileStat,
) -> io::Result<ResolvedSplit> {
    if let (Some(grown), Some(known)) = (&ready.grown_from, &ready.known)
        && let Some(mark) = FileMark::of(known)
    {
        let raw = file.file_mut()?;
        return match has_ends_of(raw, 0, &grown.digest, grown.digest.near()).await? {
            true => ResolvedSplit::resumed(known.split.clone(), known, mark, grown.digest.clone(), file).await,
            // The next try compares all of it.
            false => Err(io::Error::other("it was overwritten since it was read")),
        };
    }
    if was_renamed_back(dir, ready, stat) {
        return Err(io::Error::other(
            "it was renamed back to its former name while it was opened",
        ));
    }
    let candidates = candidates(dir, ready, stat);
    let offsets: BTreeSet<u64> = candidates.iter().map(|(position, _)| position.offset).collect();
    let digests = digests(file, offsets.iter().copied()).await?;
    let same = candidates.into_iter().filter_map(|(position, mark)| {
        let at = offsets.iter().position(|offset| *offset == position.offset)?;
        let digest = digests.get(at)?;
        (digest.hash().to_hex().as_str() == mark.digest).then(|| (position, mark, digest.clone()))
    });
    let mut same: Vec<_> = same.collect();
    // What another split has of these bytes may be in the splits that would be withdrawn: so all of them are read again, or none.
    let is_again = is_read_again(ready, &same);
    let again = match is_again {
        true => std::mem::take(&mut same),
        false => Vec::new(),
    };
    let end_counts = again.iter().any(|(_, mark, _)| mark.unterminated);
    let known = ready.known.as_ref().map(|known| &known.split);
    let is_this = |position: &Position, mark: &FileMark| {
        mark.stat.inode == stat.inode && Some(&position.split) == known && position.record > 0
    };
    if same.iter().any(|(position, mark, _)| is_this(position, mark)) {
        // A renamed file keeps its inode, so this one was not renamed: what another unfinished file has of its bytes is a copy.
        same.retain(|(position, mark, _)| position.state == SplitState::Finished || mark.stat.inode == stat.inode);
    }
    // Among splits that were read equally far, the path's own is preferred, then a finished one of this size, then this inode.
    let best_at = same.iter().enumerate().max_by_key(|(_, (position, mark, _))| {
        let is_known = Some(&position.split) == known;
        let is_whole = position.state == SplitState::Finished && Some(position.offset) == ready.content_size;
        (position.offset, is_known, is_whole, mark.stat.inode == stat.inode)
    });
    let best = best_at.map(|(at, _)| at).map(|at| same.swap_remove(at));

    let split = match &ready.known {
        None => Split::new(source, to_path(&ready.name)),
        Some(known) if known.offset == 0 => known.split.clone(),
        Some(known) => match best {
            Some((position, ..))
                if position.split == known.split && matches!(position.state, SplitState::SetAside(_)) =>
            {
                // The dialect may have changed, and with it what the first line is.
                return Ok(ResolvedSplit::new(position.split, true));
            }
            Some((position, mark, digest)) if position.split == known.split => {
                return ResolvedSplit::resumed(position.split.clone(), &position, mark, digest, file).await;
            }
            _ => known.split.next_generation(),
        },
    };
    let again = again.into_iter().map(|(position, ..)| position);
    let mut ended: Vec<Position> = again
        .map(|position| position.with_state(SplitState::Withdrawn))
        .collect();
    let is_withdrawn = |known: &Position| ended.iter().any(|ended| ended.split == known.split);
    match ready.known.as_ref().filter(|known| known.split != split) {
        Some(known) if known.state == SplitState::Withdrawn || is_withdrawn(known) => {}
        Some(known) => {
            tracing::warn!(%split, "the file has new content under a known name: reading it from the start");
            ended.extend(replaced(dir, known));
        }
        None => {}
    }
    if is_again {
        tracing::info!(%split, "nothing of the file was stored with another mapping: reading it again from the start");
    }
    let Some((position, mark, digest)) = best else {
        return Ok(ResolvedSplit {
            ended,
            end_counts,
            ..ResolvedSplit::new(split, !offsets.is_empty())
        });
    };
    let before = position.split.path().to_owned();
    let is_back = ready.renamed_back.as_ref() == Some(&position) && Some(position.offset) != ready.content_size;
    if position.state == SplitState::Finished && !is_back {
        tracing::info!(%split, "skipped: the file has the same bytes as {before}, which is finished");
        let copy_of = mark.copy_of.clone().unwrap_or(before);
        let resolved = ResolvedSplit::resumed(split, &position, mark, digest, file).await?;
        return Ok(ResolvedSplit {
            copy_of: Some(copy_of),
            ended,
            ..resolved
        });
    }
    tracing::info!(%split, "the file was renamed from {before}: reading goes on where it was");
    let renamed = FileMark {
        renamed_to: Some(split.path().to_owned()),
        ..mark.clone()
    };
    let resolved = ResolvedSplit::resumed(split, &position, mark, digest, file).await?;
    ended.push(Position {
        state: SplitState::Finished,
        mark: renamed.to_mark(),
        ..position
    });
    Ok(ResolvedSplit {
        was_renamed: true,
        ended,
        ..resolved
    })
}

/// Whether the file is read again from its start: all splits that it may be are [read again](Ready::read_again), and one of them
/// has the records. A copy has none.
fn is_read_again(ready: &Ready, same: &[(Position, FileMark, PrefixDigest)]) -> bool {
    let known = ready.known.as_ref().map(|known| &known.split);
    let is_again = |(position, mark, _): &(Position, FileMark, PrefixDigest)| {
        // A last record without an end, which this file or a copy of it had, may be half a record of what this file has now.
        let is_this = Some(&position.split) == known && Some(position.offset) == ready.content_size;
        ready.read_again.contains(&position.split) && (!mark.unterminated || is_this)
    };
    same.iter().all(is_again) && same.iter().any(|(_, mark, _)| mark.copy_of.is_none())
}

/// The last position of a split whose file has other content now; `None` if it had ended before.
///
/// If all bytes that it was known to have were read, it is finished. Otherwise the rest is lost, and the split says so.
fn replaced(dir: &impl Directory, known: &Position) -> Option<Position> {
    let mark = FileMark::of(known).filter(|_| known.state == SplitState::Open)?;
    let (read, size) = (known.offset, mark.stat.size);
    let is_plain = dir.form_of(&from_path(known.split.path())).is_plain();
    let state = match is_plain {
        true if read >= size => SplitState::Finished,
        _ => SplitState::Damaged(Refusal::new(
            Reason::REPLACED,
            format!("the file got other content when {read} bytes of it had been read; the rest is not loaded"),
        )),
    };
    let ended = FileMark { changing: true, ..mark };
    let position = known.clone().with_state(state);
    Some(position.with_mark(ended.to_mark()))
}

/// The splits that the file may be, as far as this can be told without reading it.
fn candidates<D: Directory>(dir: &D, ready: &Ready, stat: FileStat) -> Vec<(Position, FileMark)> {
    let known = ready.known.iter();
    let known = known.filter(|known| known.offset > 0 && known.state != SplitState::Withdrawn);
    let others = ready.candidates.iter().filter(|position| {
        // Without a record only the header was read, and all files share that.
        let is_other = ready.known.as_ref().is_none_or(|known| known.split != position.split);
        is_other && position.record > 0
    });
    // The size of a damaged file is not known.
    let may_reach = |offset: u64| ready.content_size.is_none_or(|size| offset <= size);
    let marked = |position: &Position| Some((position.clone(), FileMark::of(position)?));
    let others = others
        .filter_map(marked)
        .filter(|(position, mark)| match position.state {
            SplitState::Finished => Some(position.offset) == ready.content_size && mark.renamed_to.is_none(),
            SplitState::Open | SplitState::Damaged(_) => {
                // If a half record was accepted as complete, another file with the same beginning would be reported as damaged.
                let may_match = !mark.unterminated || mark.stat.is_same_but_ctime(&stat);
                let path = position.split.path();
                let was_renamed = path == to_path(&ready.name) || is_gone(dir, path, mark.stat);
                may_match && may_reach(position.offset) && was_renamed
            }
            SplitState::SetAside(_) | SplitState::Withdrawn => false,
        });
    let known = known
        .filter_map(marked)
        .filter(|(position, _)| may_reach(position.offset));
    // It may have grown since it was finished under its other name.
    let back = ready.renamed_back.iter().filter_map(marked);
    let back = back.filter(|(position, mark)| {
        let is_this = mark.stat.inode == stat.inode && is_gone(dir, position.split.path(), mark.stat);
        is_this && position.record > 0 && may_reach(position.offset)
    });
    known.chain(others).chain(back).collect()
}

/// Whether the opened file does not have its name any more, but that of an unfinished split.
fn was_renamed_back(dir: &impl Directory, ready: &Ready, stat: FileStat) -> bool {
    let is_at = |name: &OsStr| matches!(dir.stat(name), Ok(StatResult::Found(found)) if found.stat.inode == stat.inode);
    let mut unfinished = ready
        .candidates
        .iter()
        .filter(|position| position.state != SplitState::Finished);
    unfinished.any(|position| is_at(&from_path(position.split.path()))) && !is_at(&ready.name)
}

/// Whether a path has no file any more, or one with another inode. If that cannot be found out, it counts as not gone: reading a
/// file twice is better than losing it.
fn is_gone(dir: &impl Directory, path: &str, stat: FileStat) -> bool {
    match dir.stat(&from_path(path)) {
        Ok(StatResult::Found(found)) => found.stat.inode != stat.inode,
        Ok(StatResult::Gone | StatResult::Skipped(_)) => true,
        Err(_) => false,
    }
}

impl ResolvedSplit {
    /// A split that is read from its start.
    fn new(split: Split, was_read: bool) -> Self {
        Self {
            split,
            was_read,
            from: None,
            unterminated: false,
            blank_lines: 0,
            copy_of: None,
            was_renamed: false,
            end_counts: false,
            ended: Vec::new(),
            delimiter: None,
        }
    }

    /// A split that goes on at a position.
    async fn resumed(
        split: Split,
        at: &Position,
        mark: FileMark,
        digest: PrefixDigest,
        file: &mut Content<impl AsyncRead + AsyncSeek + Unpin>,
    ) -> io::Result<Self> {
        let mut next = [0];
        let grew_mid_record = mark.unterminated && {
            file.seek_to(at.offset).await?;
            let read = match file.read(&mut next).await {
                // Damage after the offset is found again, and reported, by the reader.
                Err(err) if is_damage(&err) => 0,
                read => read?,
            };
            read == 1 && !matches!(next[0], b'\r' | b'\n')
        };
        Ok(Self {
            split,
            from: Some(ResumeAt {
                resume: Resume {
                    offset: at.offset,
                    record: at.record,
                    digest,
                    behind_terminator: !mark.unterminated,
                },
                grew_mid_record,
            }),
            unterminated: mark.unterminated,
            blank_lines: mark.blank_lines,
            copy_of: mark.copy_of,
            was_read: true,
            was_renamed: false,
            end_counts: false,
            ended: Vec::new(),
            delimiter: (at.record > 0)
                .then(|| mark.dialect.map_or(',', |dialect| dialect.delimiter))
                .and_then(|delimiter| u8::try_from(delimiter).ok()),
        })
    }
}

/// Size and digest of the whole content of a file, decompressed.
pub(super) enum ContentDigest {
    Sound {
        /// In bytes.
        size: u64,
        /// BLAKE3, in hexadecimal.
        digest: String,
    },
    /// The file cannot be decompressed to its end.
    Damaged,
}

/// Reads a whole file; `None` if there is none of that name with the metadata `stat`, or if it changes meanwhile.
///
/// In a compressed file, a line of more than `max_record_bytes` counts as damage, and reading ends there: a small file may
/// decompress to terabytes.
pub(super) async fn digest_content<D: Directory>(
    dir: &D,
    name: &OsStr,
    stat: FileStat,
    max_record_bytes: usize,
) -> io::Result<Option<ContentDigest>> {
    let opened = dir.open(name).await?;
    let Some((file, _)) = opened.filter(|(_, now)| *now == stat) else {
        return Ok(None);
    };
    let mut content = Content::new(file, dir.form_of(name));
    let (mut digest, mut size, mut line) = (blake3::Hasher::new(), 0, 0);
    let mut chunk = vec![0; CHUNK_BYTES.min(stat.size.max(1)) as usize];
    loop {
        match content.read(&mut chunk).await {
            Ok(0) => break,
            Ok(read) => {
                digest.update(&chunk[..read]);
                size += read as u64;
                line = match memrchr2(b'\r', b'\n', &chunk[..read]) {
                    Some(at) => read - at,
                    None => line + read,
                };
                if line > max_record_bytes && !content.is_plain() {
                    return Ok(Some(ContentDigest::Damaged));
                }
            }
            Err(err) if is_damage(&err) => return Ok(Some(ContentDigest::Damaged)),
            Err(err) => return Err(err),
        }
    }
    let digest = digest.finalize().to_hex().to_string();
    // A plain file of another size has changed since.
    let is_unchanged = !content.is_plain() || size == stat.size;
    Ok(is_unchanged.then_some(ContentDigest::Sound { size, digest }))
}

/// Whether a file still has what was read up to a position; `None` if there is no file of that name with the metadata `stat`, or
/// if it changes meanwhile. If `prefix` is given, only the ends of that are compared.
pub(super) async fn has_what_was_read<D: Directory>(
    dir: &D,
    name: &OsStr,
    stat: FileStat,
    position: &Position,
    prefix: Option<ReadPrefix>,
) -> io::Result<Option<bool>> {
    let Some((file, _)) = dir.open(name).await?.filter(|(_, now)| *now == stat) else {
        return Ok(None);
    };
    let mut content = Content::new(file, dir.form_of(name));
    let has_it = match prefix {
        Some(ReadPrefix { digest, .. }) => has_ends_of(content.file_mut()?, 0, &digest, digest.near()).await?,
        None => {
            let now = digests(&mut content, [position.offset]).await?.pop();
            let read = FileMark::of(position).map(|mark| mark.digest);
            now.map(|digest| digest.hash().to_hex().to_string()) == read
        }
    };
    let is_unchanged = D::stat_open(content.file()?).await? == stat;
    Ok(is_unchanged.then_some(has_it))
}

/// Goes to where `from` resumes. A compressed file is read from its start for that.
///
/// # Errors
///
/// When the file cannot be read, or is compressed and has other content before that place.
pub(super) async fn seek_to_resume(
    file: &mut Content<impl AsyncRead + AsyncSeek + Unpin>,
    from: &Resume,
) -> io::Result<()> {
    if file.is_plain() {
        return file.seek_to(from.seek_to()).await;
    }
    let read = digests(file, [from.seek_to()]).await?.pop();
    let whole = from.digest.hash();
    let is_same = read.is_some_and(|read| {
        // The last byte, if it is still ahead, is that of a line end.
        let rests: &[&[u8]] = if read.len() < from.offset {
            &[b"\n", b"\r"]
        } else {
            &[b""]
        };
        rests.iter().any(|rest| {
            let mut read = read.clone();
            read.update(rest);
            read.hash() == whole
        })
    });
    match is_same {
        true => Ok(()),
        false => Err(io::Error::other("it was overwritten while it was opened")),
    }
}

/// Whether an error says that the compressed data are damaged, and not that reading them failed.
fn is_damage(err: &io::Error) -> bool {
    err.get_ref().is_some_and(|inner| inner.is::<Unreadable>())
}

const CHUNK_BYTES: u64 = 256 << 10;

/// The digest of everything before each offset, as far as the file reaches. The offsets must ascend. Moves the position of the
/// file, unless there are no offsets.
pub(super) async fn digests(
    file: &mut Content<impl AsyncRead + AsyncSeek + Unpin>,
    offsets: impl IntoIterator<Item = u64>,
) -> io::Result<Vec<PrefixDigest>> {
    let mut offsets = offsets.into_iter().peekable();
    let mut digest = PrefixDigest::default();
    let mut digests = Vec::new();
    if offsets.peek().is_none() {
        return Ok(digests);
    }
    let mut chunk = Vec::new();
    file.seek_to(0).await?;
    for offset in offsets {
        while digest.len() < offset {
            let want = (offset - digest.len()).min(CHUNK_BYTES) as usize;
            chunk.resize(chunk.len().max(want), 0);
            let read = match file.read(&mut chunk[..want]).await {
                // The file is shorter, or became shorter meanwhile.
                Ok(0) => return Ok(digests),
                Ok(read) => read,
                Err(err) if is_damage(&err) => return Ok(digests),
                Err(err) => return Err(err),
            };
            digest.update(&chunk[..read]);
        }
        digests.push(digest.clone());
    }
    Ok(digests)
}
