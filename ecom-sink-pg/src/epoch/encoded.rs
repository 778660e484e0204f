//! Rows encoded for COPY, kept in pieces that are large enough to be sent at once.
//!
//! Large pieces save system calls; splitting into pieces lets an epoch grow without copying what
//! it has.

use std::convert::Infallible;
use std::iter;

use bytes::Bytes;
use ecom_stream::Event;
use time::OffsetDateTime;

use super::row::{self, RowOrigin, encode};

/// The approximate size of a piece.
const PIECE_BYTES: usize = 64 << 10;

/// Rows encoded for COPY, one after the other.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    /// Pieces that are full.
    pieces: Vec<Bytes>,
    /// The piece that is being filled.
    open: Vec<u8>,
    /// Whether any row has one of the further columns.
    has_further: bool,
}

/// Where the bytes of a row are: the piece, and the range in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowSpan {
    piece: u32,
    start: u32,
    end: u32,
}

impl RowSpan {
    /// The number of bytes.
    pub(super) fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

impl Encoded {
    /// Appends an event.
    pub(super) fn add(&mut self, event: &Event, origin: Option<RowOrigin>, now: OffsetDateTime) -> RowSpan {
        self.has_further |= row::has_further(event);
        let encoded = self.push(|to| {
            encode(event, origin, now, to);
            Ok::<_, Infallible>(())
        });
        match encoded {
            Ok(span) => span,
        }
    }

    /// Appends what `encode` writes, or nothing if it fails.
    pub(super) fn push<E>(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<RowSpan, E> {
        if self.open.capacity() == 0 && !self.pieces.is_empty() {
            // The one before was full, so this will be.
            self.open = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 8);
        }
        let start = self.open.len();
        if let Err(err) = encode(&mut self.open) {
            self.open.truncate(start);
            return Err(err);
        }
        let span = RowSpan {
            piece: self.pieces.len() as u32,
            start: start as u32,
            end: self.open.len() as u32,
        };
        if self.open.len() >= PIECE_BYTES {
            self.seal();
        }
        Ok(span)
    }

    /// Whether any row has one of [`FURTHER_COLUMNS`](row::FURTHER_COLUMNS). Then
    /// [`pieces`](Self::pieces) must be called with the rows, since rows without them are completed
    /// with nulls on the way.
    pub(super) fn has_further(&self) -> bool {
        self.has_further
    }

    /// Ends the piece that is being filled. Rows cannot be read before.
    pub(super) fn seal(&mut self) {
        if !self.open.is_empty() {
            self.pieces.push(std::mem::take(&mut self.open).into());
        }
    }

    /// The data of a COPY, from header to trailer: of all rows in the order in which they were
    /// added, or of `some` in the given order. Pieces of selected rows are built one at a time,
    /// when they are needed.
    pub(super) fn pieces(&self, some: Option<Vec<RowSpan>>) -> impl Iterator<Item = Bytes> {
        let (all, some) = match some {
            None => (&self.pieces[..], Vec::new()),
            Some(rows) => (&[][..], rows),
        };
        let mut some = some.into_iter().peekable();
        let made = iter::from_fn(move || {
            some.peek()?;
            let mut piece = Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 8);
            while piece.len() < PIECE_BYTES
                && let Some(row) = some.next()
            {
                let row = &self.pieces[row.piece as usize][row.start as usize..row.end as usize];
                match self.has_further {
                    true => row::append_with_further(row, &mut piece),
                    false => piece.extend_from_slice(row),
                }
            }
            Some(piece.into())
        });
        iter::once(Bytes::from_static(row::HEADER))
            .chain(all.iter().cloned())
            .chain(made)
            .chain(iter::once(Bytes::from_static(row::TRAILER)))
    }
}
