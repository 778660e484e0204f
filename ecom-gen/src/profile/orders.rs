//! How much customers buy, and how often.

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use super::baskets::{Baskets, Order, OrderGrouping};
use super::events::share;
use super::statistics::{LogNormal, SummaryStatistics};
use crate::micros::DAY_MICROS;

/// How much customers buy, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Orders {
    /// The number of orders.
    pub count: u64,
    /// How purchases are grouped into orders.
    pub order_is: OrderGrouping,
    /// The number of orders per customer; `None` if nothing was bought.
    pub per_customer: Option<SummaryStatistics>,
    /// The share of customers with a single order.
    pub one_timers: Option<f64>,
    /// The days from an order of a customer to the next.
    pub days_between: Option<SummaryStatistics>,
    /// The share of order lines whose product the customer had ordered before.
    pub rebought_share: Option<f64>,
    /// The number of lines per order.
    pub lines: Option<SummaryStatistics>,
    /// The share of orders with a single line.
    pub single_line_share: Option<f64>,
    /// The lognormal distribution fitted to the value of an order.
    pub value: Option<LogNormal>,
}

impl Orders {
    pub(super) fn of(baskets: &Baskets) -> Self {
        let (mut per_customer, mut days) = (Vec::new(), Vec::new());
        let (mut one_timers, mut rebought) = (0, 0);
        let (mut lines, mut values) = (Vec::new(), Vec::new());
        for orders in baskets.by_user() {
            per_customer.push(orders.len() as f64);
            one_timers += usize::from(orders.len() == 1);
            days.extend(
                orders
                    .windows(2)
                    .map(|pair| (pair[1].micros - pair[0].micros) as f64 / DAY_MICROS as f64),
            );
            rebought += rebought_lines(baskets, orders);
        }
        for order in &baskets.orders {
            let order = baskets.lines(order);
            lines.push(order.len() as f64);
            let cents = order
                .iter()
                .map(|line| line.cents.max(0) as f64 * f64::from(line.quantity));
            values.push(cents.sum::<f64>() / 100.0);
        }
        let of_lines = |part| (!lines.is_empty()).then(|| share(part, lines.iter().sum::<f64>() as usize));
        let single = lines.iter().filter(|&&lines| lines == 1.0).count();
        Self {
            count: baskets.orders.len() as u64,
            order_is: baskets.order_is,
            one_timers: (!per_customer.is_empty()).then(|| share(one_timers, per_customer.len())),
            per_customer: SummaryStatistics::of(&mut per_customer),
            days_between: SummaryStatistics::of(&mut days),
            rebought_share: of_lines(rebought),
            single_line_share: (!lines.is_empty()).then(|| share(single, lines.len())),
            lines: SummaryStatistics::of(&mut lines),
            value: LogNormal::of(&values),
        }
    }
}

fn rebought_lines(baskets: &Baskets, orders: &[Order]) -> usize {
    let mut known = FxHashSet::default();
    let mut rebought = 0;
    for order in orders {
        let lines = baskets.lines(order);
        rebought += lines.iter().filter(|line| known.contains(&line.product)).count();
        known.extend(lines.iter().map(|line| line.product));
    }
    rebought
}

#[cfg(test)]
mod tests {
    use crate::profile::event_ref::EventRef;
    use crate::profile::fixtures::{self, measure, purchase};

    #[test]
    fn orders_are_measured() {
        let priced = |cents, quantity, seen| EventRef {
            cents: Some(cents),
            quantity,
            ..seen
        };
        let day = fixtures::DAY;
        let orders = measure([
            // Two lines for 30.00; three days later one of the products again for 10.00; a day later another for
            // 100.00.
            priced(1_000, 1, purchase(0, "ann", "s1", "boot")),
            priced(1_000, 2, purchase(0, "ann", "s1", "sock")),
            priced(1_000, 1, purchase(3 * day, "ann", "s2", "sock")),
            priced(10_000, 1, purchase(4 * day, "ann", "s3", "hat")),
            // Twice in one order does not count as bought again. Nothing was paid.
            priced(0, 1, purchase(0, "bob", "s4", "pin")),
            priced(0, 2, purchase(0, "bob", "s4", "pin")),
        ])
        .orders;
        assert_eq!((orders.count, orders.one_timers), (4, Some(0.5)));
        assert_eq!(orders.per_customer.unwrap().mean, 2.0);
        let days = orders.days_between.unwrap();
        assert_eq!((days.count, days.mean), (2, 2.0));
        assert_eq!(orders.rebought_share, Some(1.0 / 6.0));
        assert_eq!((orders.lines.unwrap().mean, orders.single_line_share), (1.5, Some(0.5)));
        let mean_of_logs = [30.0_f64, 10.0, 100.0].map(f64::ln).iter().sum::<f64>() / 3.0;
        assert!((orders.value.unwrap().mu - mean_of_logs).abs() < 1e-12);
    }

    #[test]
    fn no_orders() {
        let orders = measure([]).orders;
        assert_eq!(
            (orders.count, orders.one_timers, orders.rebought_share),
            (0, None, None)
        );
        assert_eq!((orders.per_customer, orders.single_line_share), (None, None));
    }
}
