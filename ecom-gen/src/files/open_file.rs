//! One file while rows go into it, and what is wrong with it.

use std::collections::HashSet;

use ecom_stream::Reason;

use super::file_text::{Content, End, Text};
use super::lost_originals::{Key, Lost, key};
use super::progress::Start;
use super::row::{OwnRow, Row};
use super::settings::Rules;
use crate::dirt::{FaultKind, torn};
use crate::manifest::Fate;
use crate::random::{mix, unit};
use crate::shop::Copied;

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
