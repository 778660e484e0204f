//! Assigns rows to files. Which row goes into which file depends on the rows alone.

use std::collections::VecDeque;

use bytes::Bytes;

use super::file_text::{FileContent, FileEnd, without_rows};
use super::open_file::{OpenFile, Rewrite};
use super::part::FilePart;
use super::progress::{FileStart, PartNumber, Progress};
use super::row::Row;
use super::settings::FileSettings;
use crate::dirt::FaultKind;
use crate::shop::CopyKind;
use crate::source::EventPosition;

/// A part of a file, and when it is due.
pub(super) struct DuePart {
    pub(super) due: i64,
    pub(super) part: FilePart,
    /// The times of the oldest and the newest event in it.
    pub(super) times: Option<(i64, i64)>,
    /// How far files have been handed out, including this part.
    pub(super) progress: Progress,
}

/// Takes rows in their order, and produces parts of files.
pub(super) struct FileRoller {
    settings: FileSettings,
    next: FileStart,
    last: PartNumber,
    open: Option<OpenFile>,
    rewrite: Option<Rewrite>,
    due_parts: VecDeque<DuePart>,
    has_ended: bool,
}

impl FileRoller {
    pub(super) fn new(settings: FileSettings, start: FileStart) -> Self {
        Self {
            has_ended: start.events >= settings.max_events,
            settings,
            last: PartNumber {
                files: start.writes,
                parts: 0,
            },
            next: start,
            open: None,
            rewrite: None,
            due_parts: VecDeque::new(),
        }
    }

    /// Whether no more rows are needed.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The next part.
    pub(super) fn pop(&mut self) -> Option<DuePart> {
        self.due_parts.pop_front()
    }

    /// Takes the next row, which is at `position`.
    pub(super) fn push(&mut self, position: EventPosition, row: Row<'_>) {
        let at = row.event.delivered;
        self.pass(at, position);
        if self.has_ended || self.leaves_out(row) {
            return;
        }
        if self.open.is_none() {
            self.begin(position, at);
        }
        let Some(file) = &mut self.open else { return };
        file.push(&self.settings, row, &mut self.next.lost);
        self.next.events += u64::from(row.event.copy == CopyKind::Original);
        self.has_ended = self.next.events >= self.settings.max_events;
        if file.is_full() || self.has_ended {
            self.next.first_row = EventPosition {
                index: position.index + 1,
                ..position
            };
            self.finish(at);
            self.rewrite_if(self.has_ended, at);
        } else if let Some(content) = file.part(&self.settings) {
            let start = file.start.clone();
            let FileContent { bytes, rows, times } = content;
            let part = self.part(start.file, 1, bytes.into(), rows);
            self.hand_out(start, at, part, times);
        }
    }

    /// States that no more rows are delivered before `at`; the next row is at `position`.
    pub(super) fn pass(&mut self, at: i64, position: EventPosition) {
        let ends_at = self.open.as_ref().map_or(i64::MAX, |file| file.ends_at);
        if at >= ends_at {
            self.next.first_row = position;
            self.finish(ends_at);
        }
        if at >= self.settings.until && !self.has_ended {
            self.has_ended = true;
            self.rewrite_if(true, self.settings.until);
        }
    }

    fn leaves_out(&self, row: Row<'_>) -> bool {
        let is_sent_again = |rewrite: &Rewrite| rewrite.leaves_out(row);
        self.open.as_ref().is_some_and(|file| file.leaves_out(row)) || self.rewrite.as_ref().is_some_and(is_sent_again)
    }

    /// Begins a file. Files without rows that come before it are handed out first.
    fn begin(&mut self, position: EventPosition, at: i64) {
        self.next.first_row = position;
        while let Some(kind) = self
            .settings
            .dirt
            .fault_of_file(self.settings.model.seed, self.next.file)
            && matches!(kind, FaultKind::EmptyFile | FaultKind::HeaderOnly)
        {
            let start = self.next.clone();
            self.next.file += 1;
            let end = without_rows(&self.settings, start.file, kind);
            self.end(start, 1, at, end);
        }
        self.open = Some(OpenFile::begin(&self.settings, self.next.clone(), at));
    }

    /// Ends the open file. After that, the file before it is rewritten if it must be.
    fn finish(&mut self, due: i64) {
        let Some(file) = self.open.take() else { return };
        self.next.file += 1;
        let start = file.start.clone();
        let (end, rewrite) = file.finish(&self.settings, &mut self.next.lost);
        let is_rewritten = rewrite.is_some();
        self.rewrite = self.rewrite.take().or(rewrite);
        self.end(start, 1, due, end);
        self.rewrite_if(!is_rewritten, due);
    }

    fn rewrite_if(&mut self, now: bool, due: i64) {
        if let Some(rewrite) = self.rewrite.take_if(|_| now) {
            self.end(rewrite.start, 2, due, rewrite.end);
        }
    }

    /// Hands out the end of the file that began at `start`.
    fn end(&mut self, start: FileStart, version: u32, due: i64, end: FileEnd) {
        let FileContent { bytes, rows, times } = end.content;
        let mut rest = Bytes::from(bytes);
        // A rewritten file comes as a whole, so it is divided into parts here.
        while rest.len() > 2 * self.settings.part_bytes {
            let part = self.part(start.file, version, rest.split_to(self.settings.part_bytes), 0);
            self.hand_out(start.clone(), due, part, None);
        }
        let part = self.part(start.file, version, rest, rows);
        self.next.writes += 1;
        self.last = PartNumber {
            files: self.next.writes,
            parts: 0,
        };
        self.due_parts.push_back(DuePart {
            due,
            part: FilePart {
                is_last: true,
                counted: end.counted,
                ..part
            },
            times,
            progress: self.progress(),
        });
    }

    /// Hands out a part that is not the end of the file that began at `start`.
    fn hand_out(&mut self, start: FileStart, due: i64, part: FilePart, times: Option<(i64, i64)>) {
        let start = self.rewrite.as_ref().map_or(start, |rewrite| rewrite.start.clone());
        self.due_parts.push_back(DuePart {
            due,
            part,
            times,
            progress: Progress { start, last: self.last },
        });
    }

    fn part(&mut self, file: u64, version: u32, bytes: Bytes, rows: u64) -> FilePart {
        self.last.parts += 1;
        FilePart {
            version,
            is_last: false,
            ..FilePart::whole(file, bytes, rows)
        }
    }

    /// How far files have been handed out when no file is open.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            start: self
                .rewrite
                .as_ref()
                .map_or(&self.next, |rewrite| &rewrite.start)
                .clone(),
            last: self.last,
        }
    }
}
