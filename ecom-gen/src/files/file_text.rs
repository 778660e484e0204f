//! The text of a file, and the count of what is in it.

use ecom_stream::{Event, Reason};

use super::row::Row;
use super::settings::FileSettings;
use crate::dirt::{FaultKind, missing_column, with_open_quote, without_column};
use crate::manifest::{CountedFile, RowOutcome, Tally};
use crate::shop::SimulatedEvent;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes of a file that have not been handed out yet.
#[derive(Default)]
pub(super) struct FileContent {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
    /// The times of the oldest and the newest event in them.
    pub(super) times: Option<(i64, i64)>,
}

/// The last bytes of a file, and its manifest entry.
pub(super) struct FileEnd {
    pub(super) content: FileContent,
    pub(super) counted: Option<Box<CountedFile>>,
}

/// A file without rows, which has this fault.
pub(super) fn without_rows(settings: &FileSettings, number: u64, fault: FaultKind) -> FileEnd {
    FileText::begin(settings, number, Some(fault)).finish(number, 1)
}

/// The text of one version of a file.
pub(super) struct FileText {
    pub(super) content: FileContent,
    /// The number of bytes that were handed out already.
    offset: u64,
    is_crlf: bool,
    missing_column: Option<usize>,
    tally: Option<Tally>,
}

impl FileText {
    pub(super) fn begin(settings: &FileSettings, number: u64, fault: Option<FaultKind>) -> Self {
        let mut text = Self {
            content: FileContent::default(),
            offset: 0,
            is_crlf: fault == Some(FaultKind::Crlf),
            missing_column: (fault == Some(FaultKind::MissingColumn))
                .then(|| missing_column(settings.model.seed, number)),
            tally: settings.with_manifest.then(Tally::new),
        };
        if let Some(tally) = &mut text.tally {
            match fault {
                Some(kind @ FaultKind::MissingColumn) => tally.set_aside(kind, Reason::COLUMN_MISSING),
                // These are counted together with their record.
                None | Some(FaultKind::TornLastLine | FaultKind::UnterminatedQuote) => {}
                Some(kind) => tally.fault(kind),
            }
        }
        if fault == Some(FaultKind::ByteOrderMark) {
            text.content.bytes.extend_from_slice(BYTE_ORDER_MARK);
        }
        if fault != Some(FaultKind::EmptyFile) {
            let header = Event::BASE_COLUMNS.join(",") + "\n";
            text.line(header.as_bytes());
        }
        text
    }

    /// Appends a row, and counts it with its expected outcome.
    pub(super) fn row(&mut self, settings: &FileSettings, row: Row<'_>, outcome: &RowOutcome) {
        if let Some(tally) = &mut self.tally {
            tally.row(
                &settings.model,
                row.event,
                outcome,
                self.offset + self.content.bytes.len() as u64,
            );
        }
        self.count(row.event);
        self.line(row.bytes);
    }

    /// Appends the last row with a quote that is not closed.
    pub(super) fn damaged_row(&mut self, settings: &FileSettings, row: Row<'_>) {
        let offset = self.offset + self.content.bytes.len() as u64;
        if let Some(tally) = &mut self.tally {
            tally.row(&settings.model, row.event, &RowOutcome::Unread, offset);
            tally.damaged(FaultKind::UnterminatedQuote, Reason::UNTERMINATED_QUOTE, offset);
        }
        self.count(row.event);
        with_open_quote(row.bytes, &mut self.content.bytes);
    }

    fn count(&mut self, event: &SimulatedEvent) {
        let micros = event.micros;
        let (oldest, newest) = self.content.times.unwrap_or((micros, micros));
        self.content.times = Some((oldest.min(micros), newest.max(micros)));
        self.content.rows += 1;
    }

    fn line(&mut self, line: &[u8]) {
        let out = &mut self.content.bytes;
        match (self.missing_column, line) {
            (Some(column), _) => without_column(line, column, out),
            (None, [text @ .., b'\n']) if self.is_crlf => {
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            (None, _) => out.extend_from_slice(line),
        }
    }

    /// Takes the bytes that have not been handed out yet.
    pub(super) fn take(&mut self) -> FileContent {
        self.offset += self.content.bytes.len() as u64;
        let next = FileContent {
            bytes: Vec::with_capacity(self.content.bytes.capacity()),
            ..FileContent::default()
        };
        std::mem::replace(&mut self.content, next)
    }

    pub(super) fn finish(self, number: u64, version: u32) -> FileEnd {
        let bytes = self.offset + self.content.bytes.len() as u64;
        FileEnd {
            content: self.content,
            counted: self.tally.map(|tally| tally.finish(number, version, bytes)),
        }
    }
}
