//! Counts what is in a file.

use ecom_stream::{EventType, Reason};

use super::entries::{Fault, FileEntry, FileState};
use super::statistics::FileStatistics;
use super::user_set::UserSet;
use crate::dirt::FaultKind;
use crate::shop::{Arrival, CopyKind, Model, SimulatedEvent};

/// What a correct ingest does with a row.
#[derive(Debug, Clone)]
pub(crate) enum RowOutcome {
    Stored,
    Duplicate,
    Rejected(FaultKind, Reason),
    /// It does not read the row.
    Unread,
}

/// The manifest entry of a file, and the users in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CountedFile {
    pub(crate) entry: FileEntry,
    pub(crate) users: Vec<u64>,
}

/// Counts what is in a file.
#[derive(Debug)]
pub(crate) struct Tally {
    statistics: FileStatistics,
    users: UserSet,
    state: FileState,
    reason: Option<Reason>,
    faults: Vec<Fault>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            statistics: FileStatistics::default(),
            users: UserSet::default(),
            state: FileState::Finished,
            reason: None,
            faults: Vec::new(),
        }
    }

    /// Counts the next row, which begins at `byte_offset`.
    pub(crate) fn row(&mut self, model: &Model, event: &SimulatedEvent, outcome: &RowOutcome, byte_offset: u64) {
        let SimulatedEvent { event_type, copy, .. } = *event;
        self.statistics.in_file.count(event_type);
        match copy {
            CopyKind::Exact => self.statistics.exact_copies += 1,
            CopyKind::Altered => self.statistics.altered_copies += 1,
            CopyKind::Original => match model.delivery.arrival(model.seed, event) {
                Arrival::Late => self.statistics.late += 1,
                Arrival::OutOfOrder => self.statistics.out_of_order += 1,
                Arrival::AtOnce => {}
            },
        }
        let expected = &mut self.statistics.expected;
        expected.read += u64::from(!matches!(outcome, RowOutcome::Unread));
        match outcome {
            RowOutcome::Stored => {
                expected.stored += 1;
                self.statistics.in_table.count(event_type);
                self.users.insert(event.user_id);
                if event_type == EventType::Purchase {
                    let price = model.price(event).cents().unsigned_abs();
                    self.statistics.revenue.cents += price * u64::from(event.quantity);
                }
            }
            RowOutcome::Duplicate => expected.duplicates += 1,
            RowOutcome::Rejected(kind, reason) => {
                expected.rejected += 1;
                let record = expected.read;
                self.faults.push(Fault {
                    kind: *kind,
                    record: Some(record),
                    byte_offset: Some(byte_offset),
                    reason: Some(reason.to_string()),
                });
            }
            RowOutcome::Unread => {}
        }
    }

    /// Adds a fault of the file as a whole.
    pub(crate) fn fault(&mut self, kind: FaultKind) {
        self.faults.push(Fault {
            kind,
            record: None,
            byte_offset: None,
            reason: None,
        });
    }

    /// Adds a fault because of which the file is set aside.
    pub(crate) fn set_aside(&mut self, kind: FaultKind, reason: Reason) {
        self.fault(kind);
        self.set_state(FileState::SetAside, reason);
    }

    /// Adds a fault because of which the next record, at `byte_offset`, cannot be read.
    pub(crate) fn damaged(&mut self, kind: FaultKind, reason: Reason, byte_offset: u64) {
        self.fault(kind);
        let record = self.statistics.expected.read + 1;
        if let Some(fault) = self.faults.last_mut() {
            (fault.record, fault.byte_offset) = (Some(record), Some(byte_offset));
        }
        self.set_state(FileState::Damaged, reason);
    }

    fn set_state(&mut self, state: FileState, reason: Reason) {
        self.state = state;
        if let Some(fault) = self.faults.last_mut() {
            fault.reason = Some(reason.to_string());
        }
        self.reason = Some(reason);
    }

    pub(crate) fn finish(self, number: u64, version: u32, bytes: u64) -> Box<CountedFile> {
        let mut users: Vec<u64> = self.users.into_iter().collect();
        users.sort_unstable();
        Box::new(CountedFile {
            entry: FileEntry {
                name: String::new(),
                number,
                version,
                bytes,
                state: self.state,
                reason: self.reason.map(|reason| reason.to_string()),
                statistics: self.statistics,
                users: users.len() as u64,
                faults: self.faults,
            },
            users,
        })
    }
}
