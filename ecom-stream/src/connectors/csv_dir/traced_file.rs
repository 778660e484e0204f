//! A file that knows the digest of what was read of it, so that it can be read again and compared.

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, ReadBuf};

use crate::csv::{BLOCK, Checkpoint, PrefixDigest};

/// A file that counts how often it is read and, if asked to, keeps a digest of what was read since the last seek.
#[derive(Debug)]
pub(super) struct TracedFile<F> {
    file: F,
    reads: u64,
    trace: Option<Trace>,
}

/// What was read of a file since the last seek.
#[derive(Debug, Default)]
struct Trace {
    /// The offset at which reading began.
    base: u64,
    digest: PrefixDigest,
    /// What was read was compared up to a place some blocks behind this.
    compared: Checkpoint,
}

impl<F: AsyncRead + AsyncSeek + Unpin> TracedFile<F> {
    /// A file that is at its start.
    pub(super) fn new(file: F) -> Self {
        Self {
            file,
            reads: 0,
            trace: None,
        }
    }

    /// Keeps a digest of what is read from now on. The file must be at its start, or the next call is a seek.
    pub(super) fn trace(&mut self) {
        self.trace = Some(Trace::default());
    }

    pub(super) fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// How often something was read, or the end was found.
    pub(super) fn reads(&self) -> u64 {
        self.reads
    }

    /// The file itself.
    pub(super) fn file(&self) -> &F {
        &self.file
    }

    /// Whether the file still has what was read since the last seek, and `before` at its start. Compares the first block of
    /// both, everything that was read since the last call, and a block or two before that.
    pub(super) async fn is_as_read(&mut self, before: Option<&PrefixDigest>) -> io::Result<bool> {
        let Some(trace) = &mut self.trace else { return Ok(true) };
        let mut is_same = match before {
            Some(before) => has_ends_of(&mut self.file, 0, before, before.near()).await?,
            None => true,
        };
        is_same = is_same && has_ends_of(&mut self.file, trace.base, &trace.digest, &trace.compared).await?;
        trace.compared = trace.digest.near().clone();
        let back = SeekFrom::Start(trace.base + trace.digest.len());
        self.file.seek(back).await?;
        Ok(is_same)
    }
}

/// Whether the file has the bytes of `digest` from `base` on: its first block, and everything behind `from`. Moves the place at
/// which the file is.
pub(super) async fn has_ends_of(
    file: &mut (impl AsyncRead + AsyncSeek + Unpin),
    base: u64,
    digest: &PrefixDigest,
    from: &Checkpoint,
) -> io::Result<bool> {
    if let Some(first) = digest.first().filter(|_| from.len() > 0)
        && hash_until(file, base, Checkpoint::default(), BLOCK).await? != Some(first)
    {
        return Ok(false);
    }
    Ok(hash_until(file, base, from.clone(), digest.len()).await? == Some(digest.hash()))
}

/// The digest of the first `len` bytes behind `base`, of which `digest` has the first ones; `None` if the file is shorter.
async fn hash_until(
    file: &mut (impl AsyncRead + AsyncSeek + Unpin),
    base: u64,
    mut digest: Checkpoint,
    len: u64,
) -> io::Result<Option<blake3::Hash>> {
    file.seek(SeekFrom::Start(base + digest.len())).await?;
    let mut chunk = vec![0; (len - digest.len()).min(2 * BLOCK) as usize];
    while digest.len() < len {
        let want = (len - digest.len()).min(chunk.len() as u64) as usize;
        match file.read(&mut chunk[..want]).await? {
            0 => return Ok(None),
            read => digest.update(&chunk[..read]),
        }
    }
    Ok(Some(digest.hash()))
}

impl<F: AsyncRead + Unpin> AsyncRead for TracedFile<F> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.file).poll_read(cx, buf))?;
        self.reads += 1;
        if let Some(trace) = &mut self.trace {
            trace.digest.update(&buf.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<F: AsyncSeek + Unpin> AsyncSeek for TracedFile<F> {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.file).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let at = ready!(Pin::new(&mut self.file).poll_complete(cx))?;
        if let Some(trace) = &mut self.trace
            && at != trace.base + trace.digest.len()
        {
            *trace = Trace {
                base: at,
                ..Trace::default()
            };
        }
        Poll::Ready(Ok(at))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[tokio::test]
    async fn what_was_read_is_compared_at_both_ends() {
        let bytes: Vec<u8> = (0..6 * BLOCK).map(|n| (n / 100) as u8).collect();
        // The place of a change, and whether it is told when all but the last block was read.
        let changes = [
            (0, true),
            (BLOCK - 1, true),
            (2 * BLOCK, false),
            (4 * BLOCK, true),
            (5 * BLOCK - 1, true),
            (5 * BLOCK, false),
        ];
        for (at, told) in changes {
            let mut file = TracedFile::new(Cursor::new(bytes.clone()));
            file.trace();
            let mut read = vec![0; 5 * BLOCK as usize];
            file.read_exact(&mut read).await.unwrap();
            assert!(file.is_as_read(None).await.unwrap(), "nothing changed");
            file.file.get_mut()[at as usize] ^= 1;
            assert_eq!(file.is_as_read(None).await.unwrap(), !told, "{at}");
            // Reading goes on where it was.
            read.clear();
            file.read_to_end(&mut read).await.unwrap();
            assert_eq!(read.len() as u64, BLOCK);
        }
    }

    #[tokio::test]
    async fn what_came_since_the_last_comparison_is_compared_whole() {
        let bytes: Vec<u8> = (0..9 * BLOCK).map(|n| (n / 100) as u8).collect();
        for at in [3 * BLOCK, 5 * BLOCK, 8 * BLOCK] {
            let mut file = TracedFile::new(Cursor::new(bytes.clone()));
            file.trace();
            file.read_exact(&mut vec![0; 4 * BLOCK as usize]).await.unwrap();
            assert!(file.is_as_read(None).await.unwrap());
            file.read_exact(&mut vec![0; 5 * BLOCK as usize]).await.unwrap();
            file.file.get_mut()[at as usize] ^= 1;
            assert!(!file.is_as_read(None).await.unwrap(), "{at}");
        }
    }

    #[tokio::test]
    async fn what_was_there_before_reading_began_is_compared_too() {
        let mut bytes = vec![7; 5 * BLOCK as usize];
        let mut before = PrefixDigest::default();
        before.update(&bytes[..4 * BLOCK as usize]);
        for (at, told) in [(1, true), (2 * BLOCK, false), (4 * BLOCK - 1, true)] {
            bytes[at as usize] ^= 1;
            let mut file = TracedFile::new(Cursor::new(bytes.clone()));
            file.trace();
            file.seek(SeekFrom::Start(4 * BLOCK)).await.unwrap();
            file.read_to_end(&mut Vec::new()).await.unwrap();
            assert_eq!(file.is_as_read(Some(&before)).await.unwrap(), !told, "{at}");
            bytes[at as usize] ^= 1;
        }
    }
}
