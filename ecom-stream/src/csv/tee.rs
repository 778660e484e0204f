//! A reader that keeps the bytes that pass through it, and bounds the size of a record.
//!
//! The parser pulls bytes through the tee into its own buffer. When the reader has a whole record, it peeks at the record's bytes to
//! check them; when a step is complete, it takes all its bytes at once. So each byte is copied once, into the origins of records.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

/// Keeps the bytes that pass through it until they are taken. The parser only gives fields, but rejects need their original bytes.
///
/// It also bounds the parser, which would read a field of any size into memory: reading fails with [`RecordTooLarge`] when more
/// than `max_ahead` bytes were read since the start of the current record.
///
/// ```text
///  offsets  0 ……………… window_at ………… record_at ………… read so far
///           taken     └──────── window ────────────┘
///                                └── at most max_ahead ──┘
/// ```
#[derive(Debug)]
pub(super) struct Tee<R> {
    /// The reader below.
    inner: R,
    /// The bytes that were read and not taken yet.
    window: BytesMut,
    /// The offset in the file of the first byte of `window`.
    window_at: u64,
    /// The offset at which the current record begins.
    record_at: u64,
    /// The limit on the bytes between `record_at` and what was read.
    max_ahead: u64,
    /// How many of the next bytes pass through without being kept.
    unkept: usize,
    /// The byte in front of `window`, if it was seen.
    before: Option<u8>,
}

/// The current record is longer than the limit.
#[derive(Debug, thiserror::Error)]
#[error("the record is longer than the limit")]
pub(super) struct RecordTooLarge;

impl<R> Tee<R> {
    /// A tee over `inner`, which is at `offset`. The first `unkept` bytes pass through and are not kept.
    pub(super) fn new(inner: R, offset: u64, unkept: usize, max_ahead: u64) -> Self {
        Self {
            inner,
            window: BytesMut::new(),
            window_at: offset + unkept as u64,
            record_at: offset,
            max_ahead,
            unkept,
            before: None,
        }
    }

    /// The reader below.
    pub(super) fn inner(&self) -> &R {
        &self.inner
    }

    /// The reader below. What is read from it directly does not pass through the tee.
    pub(super) fn inner_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The reader below, without the window.
    pub(super) fn into_inner(self) -> R {
        self.inner
    }

    /// Says that a record begins at `offset`, from where its size is counted.
    pub(super) fn begin_record(&mut self, offset: u64) {
        self.record_at = offset;
    }

    /// The bytes from `start` to `end`, as far as they are in the window; they stay there.
    pub(super) fn peek(&self, start: u64, end: u64) -> &[u8] {
        let index = |offset: u64| (offset.saturating_sub(self.window_at) as usize).min(self.window.len());
        &self.window[index(start)..index(end)]
    }

    /// The byte in front of `offset`, if it was seen.
    pub(super) fn byte_before(&self, offset: u64) -> Option<u8> {
        match offset.checked_sub(self.window_at) {
            Some(0) => self.before,
            Some(index) => self.window.get(index as usize - 1).copied(),
            None => None,
        }
    }

    /// Takes the bytes before the offset `end` out of the window.
    pub(super) fn take_until(&mut self, end: u64) -> Bytes {
        let len = (end.saturating_sub(self.window_at) as usize).min(self.window.len());
        self.window_at += len as u64;
        self.before = self.window[..len].last().copied().or(self.before);
        // Copied, because a shared slice would keep the whole, larger window in memory.
        let taken = Bytes::copy_from_slice(&self.window[..len]);
        self.window.advance(len);
        taken
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Tee<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read_until = self.window_at + self.window.len() as u64;
        if read_until.saturating_sub(self.record_at) > self.max_ahead {
            return Poll::Ready(Err(io::Error::other(RecordTooLarge)));
        }
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = &poll {
            let came = &buf.filled()[before..];
            let unkept = self.unkept.min(came.len());
            self.unkept -= unkept;
            self.before = came[..unkept].last().copied().or(self.before);
            self.window.extend_from_slice(&came[unkept..]);
        }
        poll
    }
}
