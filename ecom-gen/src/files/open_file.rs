//! A file while rows are appended to it, and its fault.

use std::collections::HashSet;

use ecom_stream::Reason;

use super::file_text::{FileContent, FileEnd, FileText};
use super::lost_originals::{EventKey, LostOriginals, event_key};
use super::progress::FileStart;
use super::row::{OwnedRow, Row};
use super::settings::FileSettings;
use crate::dirt::{FaultKind, torn_line};
use crate::manifest::RowOutcome;
use crate::random::{mix, unit};
use crate::shop::CopyKind;

/// A rewritten file is kept in memory, so its number of rows is limited.
const MAX_REWRITTEN_ROWS: u64 = 20_000;
/// The approximate share of rows that are in the first version of a rewritten file.
const FIRST_VERSION_SHARE: f64 = 0.6;

/// A file while rows are appended to it.
pub(super) struct OpenFile {
    pub(super) start: FileStart,
    pub(super) ends_at: i64,
    max_rows: u64,
    rows: u64,
    fault: Option<FaultKind>,
    text: FileText,
    /// The latest row, held back if the last row of the file has a fault: only the end of the file shows which row is
    /// the last.
    last_row: Option<OwnedRow>,
    /// The rows of a file that will be rewritten.
    buffered: Vec<(OwnedRow, RowOutcome)>,
    /// The events of a file that will be rewritten, if they have copies.
    sent_again: HashSet<EventKey>,
}

/// The second version of a file. It replaces the first version when the next file is there.
pub(super) struct Rewrite {
    /// The start of the file.
    pub(super) start: FileStart,
    pub(super) end: FileEnd,
    sent_again: HashSet<EventKey>,
}

impl Rewrite {
    /// Whether the row must be left out of the next file: a copy of an event in the rewritten file could be read before
    /// the second version or after it.
    pub(super) fn leaves_out(&self, row: Row<'_>) -> bool {
        row.event.copy != CopyKind::Original && self.sent_again.contains(&event_key(row.event))
    }
}

impl OpenFile {
    pub(super) fn begin(settings: &FileSettings, start: FileStart, first: i64) -> Self {
        let (model, number) = (&settings.model, start.file);
        let fault = settings.dirt.fault_of_file(model.seed, number);
        let max_rows = match fault {
            Some(FaultKind::Rewritten) => settings.policy.row_limit().min(MAX_REWRITTEN_ROWS),
            _ => settings.policy.row_limit(),
        };
        Self {
            start,
            ends_at: settings.policy.ends_at(model.seed, number, first).min(settings.until),
            max_rows,
            rows: 0,
            fault,
            text: FileText::begin(settings, number, fault),
            last_row: None,
            buffered: Vec::new(),
            sent_again: HashSet::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= self.max_rows
    }

    /// Whether the row must be left out: an ingest may read either version of a rewritten file, or both.
    pub(super) fn leaves_out(&self, row: Row<'_>) -> bool {
        row.event.copy != CopyKind::Original && self.sent_again.contains(&event_key(row.event))
    }

    pub(super) fn push(&mut self, settings: &FileSettings, row: Row<'_>, lost: &mut LostOriginals) {
        self.rows += 1;
        match self.fault {
            Some(FaultKind::TornLastLine | FaultKind::UnterminatedQuote) => {
                if let Some(last_row) = self.last_row.replace(row.to_owned_row()) {
                    let outcome = lost.expected_outcome(last_row.row());
                    self.text.row(settings, last_row.row(), &outcome);
                }
            }
            Some(FaultKind::MissingColumn) => {
                lost.mark_unread(&settings.model, row.event);
                self.text.row(settings, row.clean(), &RowOutcome::Unread);
            }
            Some(FaultKind::Rewritten) => {
                let outcome = lost.expected_outcome(row.clean());
                let model = &settings.model;
                if row.event.copy == CopyKind::Original && model.delivery.has_copy(model.seed, row.event) {
                    self.sent_again.insert(event_key(row.event));
                }
                self.buffered.push((row.clean().to_owned_row(), outcome));
            }
            _ => {
                let outcome = lost.expected_outcome(row);
                self.text.row(settings, row, &outcome);
            }
        }
    }

    /// The bytes that have accumulated, once they are enough for a part.
    pub(super) fn part(&mut self, settings: &FileSettings) -> Option<FileContent> {
        (self.text.content.bytes.len() >= settings.part_bytes).then(|| self.text.take())
    }

    /// Ends the file. Also returns its second version, if it has one.
    pub(super) fn finish(mut self, settings: &FileSettings, lost: &mut LostOriginals) -> (FileEnd, Option<Rewrite>) {
        let number = self.start.file;
        if self.fault == Some(FaultKind::Rewritten) {
            return self.finish_rewritten(settings);
        }
        if let Some(last_row) = self.last_row.take() {
            let row = last_row.row().clean();
            lost.mark_unread(&settings.model, row.event);
            if self.fault == Some(FaultKind::TornLastLine) {
                let torn_line = Row {
                    bytes: torn_line(row.bytes, settings.model.seed, number),
                    ..row
                };
                let outcome = RowOutcome::Rejected(FaultKind::TornLastLine, Reason::FIELD_COUNT);
                self.text.row(settings, torn_line, &outcome);
            } else {
                self.text.damaged_row(settings, row);
            }
        }
        (self.text.finish(number, 1), None)
    }

    fn finish_rewritten(self, settings: &FileSettings) -> (FileEnd, Option<Rewrite>) {
        let (count, number) = (self.buffered.len(), self.start.file);
        // The second version begins with a row that the first one lacks; the first version ends with the last row.
        let is_in_first = |at: usize| {
            let dice = unit(mix(settings.model.seed.0 ^ mix(number) ^ at as u64));
            at > 0 && (dice < FIRST_VERSION_SHARE || at == count - 1)
        };
        if count < 2 {
            let mut text = FileText::begin(settings, number, None);
            self.buffered
                .iter()
                .for_each(|(row, outcome)| text.row(settings, row.row(), outcome));
            return (text.finish(number, 1), None);
        }
        let (early, late): (Vec<usize>, Vec<usize>) = (0..count).partition(|at| is_in_first(*at));
        let write = |text: &mut FileText, at: usize| {
            let (row, outcome) = &self.buffered[at];
            text.row(settings, row.row(), outcome);
        };
        let mut first = self.text;
        early.iter().for_each(|at| write(&mut first, *at));
        let mut second = FileText::begin(settings, number, self.fault);
        late.iter()
            .chain(early.iter().rev())
            .for_each(|at| write(&mut second, *at));
        second.content.rows -= first.content.rows;
        let rewrite = Rewrite {
            end: second.finish(number, 2),
            start: self.start,
            sent_again: self.sent_again,
        };
        (first.finish(number, 1), Some(rewrite))
    }
}
