//! One event of the simulation, in the compact form in which it is made, delayed and sorted.

use ecom_stream::EventType;

/// One event, before it is spelled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SimulatedEvent {
    /// When it leaves the shop, in microseconds since the Unix epoch: at once, or late.
    pub(crate) delivered: i64,
    /// When it happened, likewise.
    pub(crate) micros: i64,
    /// The visit.
    pub(crate) session: u64,
    pub(crate) user_id: u64,
    pub(crate) product: u32,
    pub(crate) quantity: u16,
    /// The number of the event in its visit.
    pub(crate) step: u16,
    pub(crate) event_type: EventType,
    pub(crate) copy: CopyKind,
}

/// Whether an event was delivered before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CopyKind {
    /// It was not.
    Original,
    /// It was, the same.
    Exact,
    /// It was, with other content.
    Altered,
}

impl SimulatedEvent {
    /// What the order of delivery goes by. No two events of a shop have the same.
    pub(crate) fn order(&self) -> (i64, u64, u16, CopyKind) {
        (self.delivered, self.session, self.step, self.copy)
    }
}
