//! Purchases grouped into orders.

use std::ops::Range;

use ecom_stream::EventType;
use serde::{Deserialize, Serialize};

use super::events::{Events, Row};

/// How purchases are grouped into orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OrderGrouping {
    /// Purchases of one session at the same instant are one order.
    Instant,
    /// All purchases of a session are one order. This applies if most sessions with several purchases have no two at
    /// the same instant.
    Session,
}

/// The purchases, grouped into orders.
#[derive(Debug)]
pub(super) struct Baskets {
    pub(super) order_is: OrderGrouping,
    /// The orders, by user and then by time.
    pub(super) orders: Vec<Order>,
    lines: Vec<Row>,
}

/// An order.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) user: u32,
    pub(super) micros: i64,
    lines: Range<usize>,
}

impl Baskets {
    pub(super) fn of(events: &Events) -> Self {
        let mut lines: Vec<Row> = events.of(EventType::Purchase).copied().collect();
        lines.sort_by_key(|line| (line.session, line.micros));
        let order_is = order_is(&lines);
        let is_same =
            |a: &Row, b: &Row| a.session == b.session && (order_is == OrderGrouping::Session || a.micros == b.micros);
        let mut orders = Vec::new();
        let mut start = 0;
        for order in lines.chunk_by(is_same) {
            let lines = start..start + order.len();
            start = lines.end;
            orders.push(Order {
                user: order[0].user,
                micros: order[0].micros,
                lines,
            });
        }
        orders.sort_by_key(|order| (order.user, order.micros));
        Self {
            order_is,
            orders,
            lines,
        }
    }

    pub(super) fn lines(&self, order: &Order) -> &[Row] {
        &self.lines[order.lines.clone()]
    }

    /// The orders of each customer.
    pub(super) fn by_user(&self) -> impl Iterator<Item = &[Order]> {
        self.orders.chunk_by(|a, b| a.user == b.user)
    }
}

fn order_is(lines: &[Row]) -> OrderGrouping {
    let (mut several, mut shared) = (0, 0);
    for session in lines
        .chunk_by(|a, b| a.session == b.session)
        .filter(|lines| lines.len() > 1)
    {
        several += 1;
        shared += usize::from(session.windows(2).any(|pair| pair[0].micros == pair[1].micros));
    }
    match shared * 2 < several {
        true => OrderGrouping::Session,
        false => OrderGrouping::Instant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::fixtures::{measure, purchase};

    #[test]
    fn purchases_at_one_instant_are_an_order() {
        let orders = measure([
            purchase(0, "u", "s", "a"),
            purchase(0, "u", "s", "b"),
            purchase(9, "u", "s", "c"),
            purchase(0, "v", "t", "a"),
        ])
        .orders;
        assert_eq!((orders.order_is, orders.count), (OrderGrouping::Instant, 3));
    }

    #[test]
    fn without_common_instants_a_session_is_an_order() {
        let orders = measure([
            purchase(0, "u", "s", "a"),
            purchase(1, "u", "s", "b"),
            purchase(9, "u", "s", "c"),
            purchase(0, "v", "t", "a"),
        ])
        .orders;
        assert_eq!((orders.order_is, orders.count), (OrderGrouping::Session, 2));
    }
}
