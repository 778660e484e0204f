use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;

use memchr::memrchr2;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeek};

use super::directory::Directory;
use super::inbox::Ready;
use super::mark::{FileMark, Stamp};
use super::scan::Look;
use crate::contract::{Position, Split, SplitState};
use crate::csv::{Compression, Content, Resume, Unreadable, from_path, to_path};

/// Which split a file is, and where reading of it goes on.
pub(super) struct Identity {
    pub(super) split: Split,
    /// `None` for the start.
    pub(super) from: Option<ResumeAt>,
    /// What its mark says on.
    pub(super) unterminated: bool,
    pub(super) blank_lines: u64,
    pub(super) copy_of: Option<String>,
    /// Whether the file was read to find that out, so that it stands no more at its start.
    pub(super) was_read: bool,
    /// The last position under the name that it had before.
    pub(super) renamed_from: Option<Position>,
}

pub(super) struct ResumeAt {
    pub(super) resume: Resume,
    /// What follows the last record, which was taken although it had no terminator, is not one.
    pub(super) grew_mid_record: bool,
}

/// Finds out which split a file is.
///
/// A path that the ledger knows is that split as long as the file begins with what was read of it. A file may also be a split
/// that was renamed, if it begins with what was read of one that is not finished and whose own path has gone, and it is a
/// copy if a finished split has the same bytes; of several it is the one that was read furthest. Else it is new: a new
/// split, or a new generation of its path.
pub(super) async fn identify<D: Directory>(
    dir: &D,
    source: &str,
    ready: &Ready,
    file: &mut Content<D::File>,
    stamp: Stamp,
) -> io::Result<Identity> {
    if was_renamed_back(dir, ready, stamp) {
        return Err(io::Error::other("it got its old name back while it was opened"));
    }
    let candidates = candidates(dir, ready, stamp);
    let offsets: BTreeSet<u64> = candidates.iter().map(|(position, _)| position.offset).collect();
    let digests = digests(file, offsets.iter().copied()).await?;
    let same = candidates.into_iter().filter_map(|(position, mark)| {
        let at = offsets.iter().position(|offset| *offset == position.offset)?;
        let digest = digests.get(at)?;
        (digest.finalize().to_hex().as_str() == mark.digest).then(|| (position, mark, digest.clone()))
    });
    let known = ready.known.as_ref().map(|known| &known.split);
    // Of those that were read as far rather the file itself than one like it.
    let best = same.max_by_key(|(position, mark, _)| {
        let is_known = Some(&position.split) == known;
        let is_whole = position.state == SplitState::Finished && Some(position.offset) == ready.content_size;
        (position.offset, is_known, is_whole, mark.stamp.inode == stamp.inode)
    });

    let split = match &ready.known {
        None => Split::new(source, to_path(&ready.name)),
        Some(known) if known.offset == 0 => known.split.clone(),
        Some(known) => match best {
            Some((position, ..))
                if position.split == known.split && matches!(position.state, SplitState::SetAside(_)) =>
            {
                // It may be read in another way now, by which its first line is no header.
                return Ok(Identity::new(position.split, true));
            }
            Some((position, mark, digest)) if position.split == known.split => {
                return Identity::resumed(position.split.clone(), &position, mark, digest, file).await;
            }
            _ => known.split.next_generation(),
        },
    };
    if split.generation() > 0 {
        tracing::warn!(%split, "another content under its old name");
    }
    let Some((position, mark, digest)) = best else {
        return Ok(Identity::new(split, !offsets.is_empty()));
    };
    let before = position.split.path().to_owned();
    if position.state == SplitState::Finished {
        tracing::info!(%split, "the same bytes as {before}, which was read already: skipped");
        let copy_of = mark.copy_of.clone().unwrap_or(before);
        let identity = Identity::resumed(split, &position, mark, digest, file).await?;
        return Ok(Identity {
            copy_of: Some(copy_of),
            ..identity
        });
    }
    tracing::info!(%split, "this was {before}: reading on");
    let ended = FileMark {
        renamed_to: Some(split.path().to_owned()),
        ..mark.clone()
    };
    let identity = Identity::resumed(split, &position, mark, digest, file).await?;
    Ok(Identity {
        renamed_from: Some(Position {
            state: SplitState::Finished,
            mark: ended.to_mark(),
            ..position
        }),
        ..identity
    })
}

/// Splits that the file may be, by what can be told without reading it.
fn candidates<D: Directory>(dir: &D, ready: &Ready, stamp: Stamp) -> Vec<(Position, FileMark)> {
    let known = ready.known.iter().filter(|known| known.offset > 0);
    let alike = ready.alike.iter().filter(|position| {
        // Where no record was read there is no more than a header, and all files share that.
        let is_other = ready.known.as_ref().is_none_or(|known| known.split != position.split);
        is_other && position.record > 0
    });
    // Of what is damaged nobody knows how much there was.
    let may_reach = |offset: u64| ready.content_size.is_none_or(|size| offset <= size);
    let marked = |position: &Position| Some((position.clone(), FileMark::of(position)?));
    let alike = alike
        .filter_map(marked)
        .filter(|(position, mark)| match position.state {
            SplitState::Finished => Some(position.offset) == ready.content_size && mark.renamed_to.is_none(),
            SplitState::Open | SplitState::Damaged(_) => {
                // Behind half a record that was taken as whole any other file with that beginning would be damage.
                let is_like_it = !mark.unterminated || mark.stamp == stamp;
                let path = position.split.path();
                let was_renamed = path == to_path(&ready.name) || is_gone(dir, path, mark.stamp);
                is_like_it && may_reach(position.offset) && was_renamed
            }
            SplitState::SetAside(_) => false,
        });
    let known = known
        .filter_map(marked)
        .filter(|(position, _)| may_reach(position.offset));
    known.chain(alike).collect()
}

/// Whether the file that was opened stands no more under its name, but under that of an unfinished split.
fn was_renamed_back(dir: &impl Directory, ready: &Ready, stamp: Stamp) -> bool {
    let is_at = |name: &OsStr| matches!(dir.look(name), Ok(Look::Found(found)) if found.stamp.inode == stamp.inode);
    let mut unfinished = ready
        .alike
        .iter()
        .filter(|position| position.state != SplitState::Finished);
    unfinished.any(|position| is_at(&from_path(position.split.path()))) && !is_at(&ready.name)
}

/// Whether a path has no file any more, or another one.
fn is_gone(dir: &impl Directory, path: &str, stamp: Stamp) -> bool {
    match dir.look(&from_path(path)) {
        Ok(Look::Found(found)) => found.stamp.inode != stamp.inode,
        Ok(Look::Gone | Look::PassedOver(_)) => true,
        // Nobody knows: then better twice than never.
        Err(_) => false,
    }
}

impl Identity {
    fn new(split: Split, was_read: bool) -> Self {
        Self {
            split,
            was_read,
            from: None,
            unterminated: false,
            blank_lines: 0,
            copy_of: None,
            renamed_from: None,
        }
    }

    async fn resumed(
        split: Split,
        at: &Position,
        mark: FileMark,
        digest: blake3::Hasher,
        file: &mut Content<impl AsyncRead + AsyncSeek + Unpin>,
    ) -> io::Result<Self> {
        let mut next = [0];
        let grew_mid_record = mark.unterminated && {
            file.seek_to(at.offset).await?;
            let read = match file.read(&mut next).await {
                // What follows is damaged, which is for the reader to tell.
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
            renamed_from: None,
        })
    }
}

/// All that stands in a file, decompressed.
pub(super) enum Whole {
    Sound {
        size: u64,
        /// In hex.
        digest: String,
    },
    /// It can't be decompressed to its end.
    Damaged,
}

/// What stands in a file, if it is as `stamp` says. A line of more than `max_record_bytes` counts as damage where the file is
/// compressed: reading ends there.
pub(super) async fn digest_whole<D: Directory>(
    dir: &D,
    name: &OsStr,
    stamp: Stamp,
    max_record_bytes: usize,
) -> io::Result<Option<Whole>> {
    let opened = dir.open(name).await?;
    let Some((file, _)) = opened.filter(|(_, now)| *now == stamp) else {
        return Ok(None);
    };
    let mut content = Content::new(file, Compression::of(name));
    let (mut digest, mut size, mut line) = (blake3::Hasher::new(), 0, 0);
    let mut chunk = vec![0; CHUNK_BYTES.min(stamp.size.max(1)) as usize];
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
                // A small file may blow up to more than anybody can wait for.
                if line > max_record_bytes && content.is_compressed() {
                    return Ok(Some(Whole::Damaged));
                }
            }
            Err(err) if is_damage(&err) => return Ok(Some(Whole::Damaged)),
            Err(err) => return Err(err),
        }
    }
    let digest = digest.finalize().to_hex().to_string();
    // A plain file that has another size by now is another.
    let is_it = content.is_compressed() || size == stamp.size;
    Ok(is_it.then_some(Whole::Sound { size, digest }))
}

fn is_damage(err: &io::Error) -> bool {
    err.get_ref().is_some_and(|inner| inner.is::<Unreadable>())
}

const CHUNK_BYTES: u64 = 256 << 10;

/// The digests of what stands before each offset, which must ascend, up to the end of the file. It stands somewhere after
/// that, but for no offsets where it stood.
async fn digests(
    file: &mut Content<impl AsyncRead + AsyncSeek + Unpin>,
    offsets: impl IntoIterator<Item = u64>,
) -> io::Result<Vec<blake3::Hasher>> {
    let mut offsets = offsets.into_iter().peekable();
    let (mut digest, mut at) = (blake3::Hasher::new(), 0);
    let mut digests = Vec::new();
    if offsets.peek().is_none() {
        return Ok(digests);
    }
    let mut chunk = Vec::new();
    file.seek_to(0).await?;
    for offset in offsets {
        while at < offset {
            let want = (offset - at).min(CHUNK_BYTES) as usize;
            chunk.resize(chunk.len().max(want), 0);
            let read = match file.read(&mut chunk[..want]).await {
                // It is shorter, or became so meanwhile.
                Ok(0) => return Ok(digests),
                Ok(read) => read,
                Err(err) if is_damage(&err) => return Ok(digests),
                Err(err) => return Err(err),
            };
            digest.update(&chunk[..read]);
            at += read as u64;
        }
        digests.push(digest.clone());
    }
    Ok(digests)
}
