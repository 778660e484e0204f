//! Makes sure that what is read of a file is of one content, also if the file is overwritten in place meanwhile.

use std::io;

use tokio::io::{AsyncRead, AsyncSeek};

use super::directory::Directory;
use super::mark::FileStat;
use super::resolve::digests;
use super::traced_file::TracedFile;
use crate::csv::{Content, PrefixDigest, Resume};

/// Decides, before each batch leaves, whether its bytes are of the content that was read before.
///
/// | the metadata are | and the file is | then |
/// |---|---|---|
/// | as they were, and would tell a change | | the batch leaves |
/// | others, or too recent to tell a change | traced | what was read is read again, and compared |
/// | others | not traced | reading goes back to the last batch that left: what is before is compared, and the file is traced from there |
///
/// Metadata do not tell an appended line from overwritten content. So the comparison covers the first block, everything since
/// the last comparison, and one or two blocks before that: a bounded part, however long the file is.
#[derive(Debug)]
pub(super) struct ConsistencyCheck {
    /// The metadata of a content of which everything is that was read. `None` if they did not tell changes.
    trusted: Option<FileStat>,
    /// What is before the place where reading began.
    before: Option<PrefixDigest>,
    /// The number of reads at the last check.
    reads: u64,
}

/// The result of a check.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// What was read is of one content.
    Consistent,
    /// That is not known: [`ConsistencyCheck::go_back`] must be called.
    Unknown,
}

impl ConsistencyCheck {
    /// A check of a file that was opened with the metadata `opened`, and of which nothing was read yet.
    pub(super) fn new<D: Directory>(dir: &D, opened: FileStat) -> Self {
        Self {
            trusted: opened.tells_changes_after(dir.wall_ns()).then_some(opened),
            before: None,
            reads: 0,
        }
    }

    /// Whether a later change of the file will show in its metadata.
    pub(super) fn tells_changes(&self) -> bool {
        self.trusted.is_some()
    }

    /// Says that reading begins behind what `from` stands for.
    pub(super) fn resume_behind(&mut self, from: &Resume, is_plain: bool) {
        // Another file is decoded from its start again.
        self.before = is_plain.then(|| from.digest.clone());
    }

    /// Checks what was read since the last call.
    ///
    /// # Errors
    ///
    /// When the file has other content now, or cannot be read.
    pub(super) async fn check<D: Directory>(
        &mut self,
        dir: &D,
        content: &mut Content<TracedFile<D::File>>,
    ) -> io::Result<Checked> {
        let file = content.file_mut()?;
        if file.reads() == self.reads {
            return Ok(Checked::Consistent);
        }
        self.reads = file.reads();
        let wall_ns = dir.wall_ns();
        let now = D::stat_open(file.file()).await?;
        if self.trusted == Some(now) {
            return Ok(Checked::Consistent);
        }
        if !file.is_traced() {
            return Ok(Checked::Unknown);
        }
        if !file.is_as_read(self.before.as_ref()).await? {
            return Err(overwritten());
        }
        self.trusted = now.tells_changes_after(wall_ns).then_some(now);
        Ok(Checked::Consistent)
    }

    /// Compares everything before `from` with the content that the file has now, and traces the file from now on. The caller
    /// then reads from there again.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub(super) async fn go_back(
        &mut self,
        content: &mut Content<TracedFile<impl AsyncRead + AsyncSeek + Unpin>>,
        from: &Resume,
    ) -> io::Result<()> {
        let digest = digests(content, [from.offset]).await?;
        if digest.first().map(PrefixDigest::hash) != Some(from.digest.hash()) {
            return Err(overwritten());
        }
        content.file_mut()?.trace();
        self.trusted = None;
        self.resume_behind(from, content.is_plain());
        Ok(())
    }
}

fn overwritten() -> io::Error {
    io::Error::other("it was overwritten while it was read")
}
