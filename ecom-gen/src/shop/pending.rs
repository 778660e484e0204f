//! Events that wait for the slice of their delivery.

use std::collections::VecDeque;

use super::event::SimulatedEvent;

/// Events that wait for the slice in which they are delivered: a linked list for each slice, with the nodes of all
/// lists in one vector. A vector for each slice would reserve about twice the memory, which counts for a shop with a
/// high rate.
#[derive(Debug, Clone)]
pub(crate) struct PendingEvents {
    nodes: Vec<Node>,
    /// The first unused node.
    free: usize,
    /// The first node of each slice, beginning with the next slice.
    slices: VecDeque<usize>,
}

/// Marks the end of a list.
const NONE: usize = usize::MAX;

#[derive(Debug, Clone)]
struct Node {
    event: SimulatedEvent,
    after: usize,
}

impl PendingEvents {
    pub(crate) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free: NONE,
            slices: VecDeque::new(),
        }
    }

    /// Adds an event for the slice that comes `slice` slices after the next one.
    pub(crate) fn put(&mut self, slice: usize, event: SimulatedEvent) {
        if slice >= self.slices.len() {
            self.slices.resize(slice + 1, NONE);
        }
        let after = self.slices[slice];
        let node = Node { event, after };
        match self.free {
            NONE => {
                self.slices[slice] = self.nodes.len();
                self.nodes.push(node);
            }
            free => {
                self.slices[slice] = free;
                self.free = self.nodes[free].after;
                self.nodes[free] = node;
            }
        }
    }

    /// Appends the events of the next slice, in no particular order, and advances by one slice.
    pub(crate) fn take_next(&mut self, out: &mut Vec<SimulatedEvent>) {
        let mut at = self.slices.pop_front().unwrap_or(NONE);
        while at != NONE {
            let node = &mut self.nodes[at];
            out.push(node.event);
            let after = std::mem::replace(&mut node.after, self.free);
            self.free = at;
            at = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use ecom_stream::EventType;

    use super::*;
    use crate::shop::event::CopyKind;

    #[test]
    fn events_return_in_their_slice_and_nodes_are_reused() {
        let event = |micros| SimulatedEvent {
            delivered: micros,
            micros,
            session: 0,
            user_id: 0,
            product: 0,
            quantity: 1,
            step: 0,
            event_type: EventType::View,
            copy: CopyKind::Original,
        };
        let mut waiting = PendingEvents::new();
        for slice in 0..100 {
            for ahead in [0, 1, 1, 5] {
                waiting.put(ahead, event(slice + ahead as i64));
            }
            let mut taken = Vec::new();
            waiting.take_next(&mut taken);
            let expected = if slice < 1 {
                1
            } else if slice < 5 {
                3
            } else {
                4
            };
            assert_eq!(taken.len(), expected, "{slice}");
            assert!(taken.iter().all(|event| event.micros == slice));
        }
        assert_eq!(waiting.nodes.len(), 11);
    }
}
