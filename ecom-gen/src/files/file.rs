//! One file while rows go into it, and what is wrong with it.

use std::collections::HashSet;

use ecom_stream::{Event, Reason};

use super::cut::{Rules, Start};
use super::encode::{OwnRow, Row};
use super::lost::{Key, Lost, key};
use crate::dirt::{FaultKind, after_open_quote, missing_column, torn, without_column};
use crate::moment::{Copied, Moment};
use crate::seed::{mix, unit};
use crate::truth::{Fate, Tally, TruthOfFile};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// All of a rewritten file is kept in memory.
const MOST_REWRITTEN_ROWS: u64 = 20_000;
/// So much of a rewritten file is in its first version, about.
const FIRST_SHARE: f64 = 0.6;

/// A file while rows go into it.
pub(super) struct OpenFile {
    pub(super) start: Start,
    pub(super) ends_at: i64,
    most_rows: u64,
    rows: u64,
    fault: Option<FaultKind>,
    text: Text,
    /// The last row, where it is to be spoiled: which is the last shows when no other comes.
    held: Option<OwnRow>,
    /// The rows of a file that is to be rewritten.
    kept: Vec<(OwnRow, Fate)>,
    /// The events in it that are sent again.
    sent_again: HashSet<Key>,
}

/// The bytes of a file that come next.
#[derive(Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
    /// The oldest and the newest event in it.
    pub(super) times: Option<(i64, i64)>,
}

/// The end of a file.
pub(super) struct End {
    pub(super) content: Content,
    pub(super) truth: Option<Box<TruthOfFile>>,
}

/// What takes the place of a file when the next one is there.
pub(super) struct Rewrite {
    /// Where the file began.
    pub(super) start: Start,
    pub(super) end: End,
    sent_again: HashSet<Key>,
}

impl Rewrite {
    /// Whether the row must not be in the next file, which may be read before the rewritten one or after it.
    pub(super) fn leaves_out(&self, row: Row<'_>) -> bool {
        row.moment.copy != Copied::Not && self.sent_again.contains(&key(row.moment))
    }
}

impl OpenFile {
    pub(super) fn begin(rules: &Rules, start: Start, first: i64) -> Self {
        let (model, number) = (&rules.model, start.file);
        let fault = rules.dirt.of_file(model.seed, number);
        let most_rows = match fault {
            Some(FaultKind::Rewritten) => rules.plan.most_rows().min(MOST_REWRITTEN_ROWS),
            _ => rules.plan.most_rows(),
        };
        Self {
            start,
            ends_at: rules.plan.ends_at(model.seed, number, first).min(rules.until),
            most_rows,
            rows: 0,
            fault,
            text: Text::begin(rules, number, fault),
            held: None,
            kept: Vec::new(),
            sent_again: HashSet::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= self.most_rows
    }

    /// Whether the row must not be in it: a file that is rewritten may be read in either version, or in both.
    pub(super) fn leaves_out(&self, row: Row<'_>) -> bool {
        row.moment.copy != Copied::Not && self.sent_again.contains(&key(row.moment))
    }

    pub(super) fn push(&mut self, rules: &Rules, row: Row<'_>, lost: &mut Lost) {
        self.rows += 1;
        match self.fault {
            Some(FaultKind::TornLastLine | FaultKind::UnterminatedQuote) => {
                if let Some(held) = self.held.replace(row.to_own()) {
                    let fate = lost.judge(held.row());
                    self.text.row(rules, held.row(), &fate);
                }
            }
            Some(FaultKind::MissingColumn) => {
                lost.lose(&rules.model, row.moment);
                self.text.row(rules, row.clean(), &Fate::Lost);
            }
            Some(FaultKind::Rewritten) => {
                let fate = lost.judge(row.clean());
                let model = &rules.model;
                if row.moment.copy == Copied::Not && model.delivery.has_copy(model.seed, row.moment) {
                    self.sent_again.insert(key(row.moment));
                }
                self.kept.push((row.clean().to_own(), fate));
            }
            _ => {
                let fate = lost.judge(row);
                self.text.row(rules, row, &fate);
            }
        }
    }

    /// What has come since the last time, if that is as much as a part.
    pub(super) fn part(&mut self, rules: &Rules) -> Option<Content> {
        (self.text.content.bytes.len() >= rules.part_bytes).then(|| self.text.take())
    }

    /// Ends the file; gives what is to take its place, too.
    pub(super) fn finish(mut self, rules: &Rules, lost: &mut Lost) -> (End, Option<Rewrite>) {
        let number = self.start.file;
        if self.fault == Some(FaultKind::Rewritten) {
            return self.finish_rewritten(rules);
        }
        if let Some(held) = self.held.take() {
            let row = held.row().clean();
            lost.lose(&rules.model, row.moment);
            if self.fault == Some(FaultKind::TornLastLine) {
                let torn = Row {
                    bytes: torn(row.bytes, rules.model.seed, number),
                    ..row
                };
                let fate = Fate::Rejected(FaultKind::TornLastLine, Reason::FIELD_COUNT);
                self.text.row(rules, torn, &fate);
            } else {
                self.text.damaged_row(rules, row);
            }
        }
        (self.text.finish(number, 1), None)
    }

    fn finish_rewritten(self, rules: &Rules) -> (End, Option<Rewrite>) {
        let (count, number) = (self.kept.len(), self.start.file);
        // The second version begins with a row that the first has not, which ends with one that it has.
        let is_in_first = |at: usize| {
            let dice = unit(mix(rules.model.seed.0 ^ mix(number) ^ at as u64));
            at > 0 && (dice < FIRST_SHARE || at == count - 1)
        };
        if count < 2 {
            let mut text = Text::begin(rules, number, None);
            self.kept
                .iter()
                .for_each(|(row, fate)| text.row(rules, row.row(), fate));
            return (text.finish(number, 1), None);
        }
        let (early, late): (Vec<usize>, Vec<usize>) = (0..count).partition(|at| is_in_first(*at));
        let write = |text: &mut Text, at: usize| {
            let (row, fate) = &self.kept[at];
            text.row(rules, row.row(), fate);
        };
        let mut first = self.text;
        early.iter().for_each(|at| write(&mut first, *at));
        let mut second = Text::begin(rules, number, self.fault);
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

/// A file without rows, which has that fault.
pub(super) fn without_rows(rules: &Rules, number: u64, fault: FaultKind) -> End {
    Text::begin(rules, number, Some(fault)).finish(number, 1)
}

/// The text of a version of a file.
struct Text {
    content: Content,
    /// How many bytes come before.
    offset: u64,
    is_crlf: bool,
    missing_column: Option<usize>,
    tally: Option<Tally>,
}

impl Text {
    fn begin(rules: &Rules, number: u64, fault: Option<FaultKind>) -> Self {
        let mut text = Self {
            content: Content::default(),
            offset: 0,
            is_crlf: fault == Some(FaultKind::Crlf),
            missing_column: (fault == Some(FaultKind::MissingColumn)).then(|| missing_column(rules.model.seed, number)),
            tally: rules.truth.then(Tally::new),
        };
        if let Some(tally) = &mut text.tally {
            match fault {
                Some(kind @ FaultKind::MissingColumn) => tally.set_aside(kind, Reason::COLUMN_MISSING),
                // They come with a record.
                None | Some(FaultKind::TornLastLine | FaultKind::UnterminatedQuote) => {}
                Some(kind) => tally.fault(kind),
            }
        }
        if fault == Some(FaultKind::ByteOrderMark) {
            text.content.bytes.extend_from_slice(BYTE_ORDER_MARK);
        }
        if fault != Some(FaultKind::EmptyFile) {
            let header = Event::COLUMNS.join(",") + "\n";
            text.line(header.as_bytes());
        }
        text
    }

    fn row(&mut self, rules: &Rules, row: Row<'_>, fate: &Fate) {
        if let Some(tally) = &mut self.tally {
            tally.row(
                &rules.model,
                row.moment,
                fate,
                self.offset + self.content.bytes.len() as u64,
            );
        }
        self.count(row.moment);
        self.line(row.bytes);
    }

    /// The last row, with a quote that is not closed.
    fn damaged_row(&mut self, rules: &Rules, row: Row<'_>) {
        let offset = self.offset + self.content.bytes.len() as u64;
        if let Some(tally) = &mut self.tally {
            tally.row(&rules.model, row.moment, &Fate::Lost, offset);
            tally.damaged(FaultKind::UnterminatedQuote, Reason::UNTERMINATED_QUOTE, offset);
        }
        self.count(row.moment);
        after_open_quote(row.bytes, &mut self.content.bytes);
    }

    fn count(&mut self, moment: &Moment) {
        let micros = moment.micros;
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

    fn take(&mut self) -> Content {
        self.offset += self.content.bytes.len() as u64;
        let next = Content {
            bytes: Vec::with_capacity(self.content.bytes.capacity()),
            ..Content::default()
        };
        std::mem::replace(&mut self.content, next)
    }

    fn finish(self, number: u64, version: u32) -> End {
        let bytes = self.offset + self.content.bytes.len() as u64;
        End {
            content: self.content,
            truth: self.tally.map(|tally| tally.finish(number, version, bytes)),
        }
    }
}
