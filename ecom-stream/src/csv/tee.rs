//! A reader that keeps the bytes that pass through it, and bounds the size of a record.
//!
//! The parser pulls bytes through the tee into its own buffer. When the reader has a whole record, it peeks at the record's bytes to
//! check them; when a step is complete, it takes all its bytes at once. So each byte is copied once, into the origins of records.
//!
//! The parser does not get all that was read at once: what can only be understood with what follows is held back until that was read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use super::line_ends::MAX_CR_RUN;
use super::mask::Mask;
use super::text_encoding::FIRST_BLOCK_BYTES;

/// Keeps the bytes that pass through it until they are taken. The parser only gives fields, but rejects need their original bytes.
///
/// It also bounds the parser, which would read a field of any size into memory: reading fails with [`RecordTooLarge`] when the
/// parser has got more than `max_ahead` bytes since the start of the current record.
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
    /// How much of `window` the parser has got.
    given: usize,
    /// Whether the reader below has ended, or failed.
    is_at_end: bool,
    /// The error with which it failed, until the parser has got everything that was read before.
    failed: Option<io::Error>,
    /// The parser gets nothing before that much was read.
    first_block: usize,
    /// Changes what the parser gets, and not what is kept.
    mask: Option<Box<Mask>>,
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
            given: 0,
            is_at_end: false,
            failed: None,
            first_block: match offset {
                0 => FIRST_BLOCK_BYTES,
                _ => 0,
            },
            mask: None,
        }
    }

    /// The same tee with a mask. `None`: the parser gets what is in the file.
    pub(super) fn masked(mut self, mask: Option<Mask>) -> Self {
        self.mask = mask.map(Box::new);
        self
    }

    /// The same tee for another parser, which gets everything again. Nothing was taken yet.
    pub(super) fn again(mut self) -> Self {
        self.given = 0;
        self
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

    /// How much of what was read the parser can get, before more is read.
    fn ready(&self, text: &[u8]) -> usize {
        if self.is_at_end {
            text.len()
        } else if self.window.len() < self.first_block {
            0
        } else {
            text.len() - trailing_crs(text)
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
        self.given = self.given.saturating_sub(len);
        // What follows was read behind the first block.
        self.first_block = 0;
        taken
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Tee<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let given_until = this.window_at + this.given as u64;
        if given_until.saturating_sub(this.record_at) > this.max_ahead {
            return Poll::Ready(Err(io::Error::other(RecordTooLarge)));
        }
        if this.given == this.window.len()
            && let Some(err) = this.failed.take()
        {
            return Poll::Ready(Err(err));
        }
        let start = buf.filled().len();
        loop {
            let held = (this.window.len() - this.given).min(buf.remaining());
            buf.put_slice(&this.window[this.given..this.given + held]);
            let mut unkept = 0;
            if !this.is_at_end && buf.remaining() > 0 {
                let came_at = buf.filled().len();
                match Pin::new(&mut this.inner).poll_read(cx, buf) {
                    Poll::Ready(Ok(())) => {}
                    // The parser gets what was read before.
                    Poll::Ready(Err(err)) if this.window.len() > this.given => {
                        this.failed = Some(err);
                        this.is_at_end = true;
                    }
                    other => {
                        buf.set_filled(start);
                        return other;
                    }
                }
                let came = &buf.filled()[came_at..];
                this.is_at_end |= came.is_empty();
                unkept = this.unkept.min(came.len());
                this.unkept -= unkept;
                this.before = came[..unkept].last().copied().or(this.before);
                this.window.extend_from_slice(&came[unkept..]);
            }
            let is_full = buf.remaining() == 0;
            let text = &mut buf.filled_mut()[start..];
            let mut now = this.ready(text).max(unkept);
            if now == 0 && (this.is_at_end || is_full) {
                now = text.len();
            }
            if let Some(mask) = &mut this.mask {
                now = match mask.apply(&mut text[..now], this.is_at_end) {
                    0 if is_full => mask.apply(&mut text[..now], true),
                    done => done.max(unkept),
                };
            }
            if now > 0 || this.is_at_end {
                buf.set_filled(start + now);
                this.given += now - unkept;
                return Poll::Ready(Ok(()));
            }
            buf.set_filled(start);
        }
    }
}

/// How many `\r` are at the end of the text. Whether a line ends there depends on what follows.
fn trailing_crs(text: &[u8]) -> usize {
    let end = text.iter().rev().take(MAX_CR_RUN);
    end.take_while(|byte| **byte == b'\r').count()
}
