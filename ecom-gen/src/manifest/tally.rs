use ecom_stream::{EventType, Reason};

use super::entries::{Fault, FileState, FileTruth};
use super::statistics::Sums;
use super::user_set::Users;
use crate::dirt::FaultKind;
use crate::shop::{Arrival, Copied, Model, Moment};

/// What an ingest must make of a row.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    Stored,
    Duplicate,
    Rejected(FaultKind, Reason),
    /// It is not even read.
    Lost,
}

/// The truth about a file, and which users it has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TruthOfFile {
    pub(crate) file: FileTruth,
    pub(crate) users: Vec<u64>,
}

/// Counts what is in a file.
#[derive(Debug)]
pub(crate) struct Tally {
    sums: Sums,
    users: Users,
    state: FileState,
    reason: Option<Reason>,
    faults: Vec<Fault>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            sums: Sums::default(),
            users: Users::default(),
            state: FileState::Finished,
            reason: None,
            faults: Vec::new(),
        }
    }

    /// Counts the next row, which stands at `byte_offset`.
    pub(crate) fn row(&mut self, model: &Model, moment: &Moment, fate: &Fate, byte_offset: u64) {
        let Moment { event_type, copy, .. } = *moment;
        self.sums.in_file.count(event_type);
        match copy {
            Copied::Exactly => self.sums.exact_copies += 1,
            Copied::Altered => self.sums.altered_copies += 1,
            Copied::Not => match model.delivery.arrival(model.seed, moment) {
                Arrival::Late => self.sums.late += 1,
                Arrival::OutOfOrder => self.sums.out_of_order += 1,
                Arrival::AtOnce => {}
            },
        }
        let expected = &mut self.sums.expected;
        expected.read += u64::from(!matches!(fate, Fate::Lost));
        match fate {
            Fate::Stored => {
                expected.stored += 1;
                self.sums.in_table.count(event_type);
                self.users.insert(moment.user_id);
                if event_type == EventType::Purchase {
                    let price = model.price(moment).cents().unsigned_abs();
                    self.sums.revenue.cents += price * u64::from(moment.quantity);
                }
            }
            Fate::Duplicate => expected.duplicates += 1,
            Fate::Rejected(kind, reason) => {
                expected.rejected += 1;
                let record = expected.read;
                self.faults.push(Fault {
                    kind: *kind,
                    record: Some(record),
                    byte_offset: Some(byte_offset),
                    reason: Some(reason.to_string()),
                });
            }
            Fate::Lost => {}
        }
    }

    /// The file has a fault which is no record's.
    pub(crate) fn fault(&mut self, kind: FaultKind) {
        self.faults.push(Fault {
            kind,
            record: None,
            byte_offset: None,
            reason: None,
        });
    }

    /// The file can't be used because of that.
    pub(crate) fn set_aside(&mut self, kind: FaultKind, reason: Reason) {
        self.fault(kind);
        self.ends(FileState::SetAside, reason);
    }

    /// The next record, which stands at `byte_offset`, can't be read.
    pub(crate) fn damaged(&mut self, kind: FaultKind, reason: Reason, byte_offset: u64) {
        self.fault(kind);
        let record = self.sums.expected.read + 1;
        if let Some(fault) = self.faults.last_mut() {
            (fault.record, fault.byte_offset) = (Some(record), Some(byte_offset));
        }
        self.ends(FileState::Damaged, reason);
    }

    fn ends(&mut self, state: FileState, reason: Reason) {
        self.state = state;
        if let Some(fault) = self.faults.last_mut() {
            fault.reason = Some(reason.to_string());
        }
        self.reason = Some(reason);
    }

    pub(crate) fn finish(self, number: u64, version: u32, bytes: u64) -> Box<TruthOfFile> {
        let mut users: Vec<u64> = self.users.into_iter().collect();
        users.sort_unstable();
        Box::new(TruthOfFile {
            file: FileTruth {
                name: String::new(),
                number,
                version,
                bytes,
                state: self.state,
                reason: self.reason.map(|reason| reason.to_string()),
                sums: self.sums,
                users: users.len() as u64,
                faults: self.faults,
            },
            users,
        })
    }
}
