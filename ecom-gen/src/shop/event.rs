//! A simulated event, in the compact form in which events are made, delayed and sorted.

use ecom_stream::EventType;

/// An event whose texts are not filled in yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SimulatedEvent {
    /// When it is delivered, in microseconds since the Unix epoch: at once, or late.
    pub(crate) delivered: i64,
    /// When it happened, in the same unit.
    pub(crate) micros: i64,
    /// The visit it belongs to.
    pub(crate) session: u64,
    pub(crate) user_id: u64,
    pub(crate) product: u32,
    pub(crate) quantity: u16,
    /// The number of the event within its visit.
    pub(crate) step: u16,
    pub(crate) event_type: EventType,
    pub(crate) copy: CopyKind,
}

/// Whether an event is a copy of one that was sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CopyKind {
    /// It is not a copy.
    Original,
    /// It is an exact copy.
    Exact,
    /// It is a copy with different content.
    Altered,
}

impl SimulatedEvent {
    /// The sort key of the order of delivery, which is unique among the events of a shop.
    pub(crate) fn order(&self) -> (i64, u64, u16, CopyKind) {
        (self.delivered, self.session, self.step, self.copy)
    }
}
