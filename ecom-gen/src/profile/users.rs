//! How often users visit and return.

use ecom_stream::EventType;
use serde::{Deserialize, Serialize};

use super::events::Events;
use super::groups::{Group, Groups};
use super::statistics::SummaryStatistics;
use crate::micros::DAY_MICROS;

/// How often users visit and return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Users {
    /// The number of views per user, of users with a view.
    pub views: Option<SummaryStatistics>,
    /// The number of sessions per user.
    pub sessions: Option<SummaryStatistics>,
    /// The days from the start of a session to the start of the user's next session.
    pub days_between_sessions: Option<SummaryStatistics>,
    /// Values by month; `None` if the sample has no complete month.
    pub by_month: Option<Months>,
}

/// Means over the complete months. A month has 30 days, counted from the first event on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Months {
    /// The number of complete months.
    pub count: u64,
    /// The number of sessions per active user.
    pub sessions_per_user: f64,
    /// The share of active users who buy in the same month.
    pub buying_share: f64,
    /// The share of active users who are active in the next month, too; `None` if there is no next month.
    pub returning_share: Option<f64>,
    /// The share of products viewed in a month that are bought in the same month.
    pub products_bought_share: Option<f64>,
}

impl Users {
    pub(super) fn of(events: &Events, by_user: &Groups<'_>) -> Self {
        let (mut views, mut sessions, mut days) = (Vec::new(), Vec::new(), Vec::new());
        let mut months = vec![Month::default(); events.whole_months()];
        for user in by_user.iter() {
            match user.iter().filter(|row| row.is(EventType::View)).count() {
                0 => {}
                count => views.push(count as f64),
            }
            let starts = session_starts(user);
            sessions.push(starts.len() as f64);
            days.extend(
                starts
                    .windows(2)
                    .map(|pair| (pair[1] - pair[0]) as f64 / DAY_MICROS as f64),
            );
            count_months(events, user, &starts, &mut months);
        }
        Self {
            views: SummaryStatistics::of(&mut views),
            sessions: SummaryStatistics::of(&mut sessions),
            days_between_sessions: SummaryStatistics::of(&mut days),
            by_month: Months::of(events, &months),
        }
    }
}

/// The start times of a user's sessions, in order.
fn session_starts(user: Group<'_>) -> Vec<i64> {
    let mut starts: Vec<(u32, i64)> = user.iter().map(|row| (row.session, row.micros)).collect();
    starts.sort_unstable();
    starts.dedup_by_key(|(session, _)| *session);
    let mut starts: Vec<i64> = starts.into_iter().map(|(_, micros)| micros).collect();
    starts.sort_unstable();
    starts
}

/// The counts of a month.
#[derive(Debug, Clone, Default)]
struct Month {
    users: usize,
    sessions: usize,
    buyers: usize,
    returning: usize,
}

fn count_months(events: &Events, user: Group<'_>, starts: &[i64], months: &mut [Month]) {
    let mut last_seen = None;
    let mut last_bought = None;
    for row in user.iter() {
        let at = events.month(row.micros);
        let Some(month) = months.get_mut(at) else { break };
        if row.is(EventType::Purchase) && last_bought != Some(at) {
            last_bought = Some(at);
            month.buyers += 1;
        }
        if last_seen != Some(at) {
            month.users += 1;
            if last_seen.is_some_and(|last| last + 1 == at) {
                months[at - 1].returning += 1;
            }
            last_seen = Some(at);
        }
    }
    for &start in starts {
        if let Some(month) = months.get_mut(events.month(start)) {
            month.sessions += 1;
        }
    }
}

impl Months {
    fn of(events: &Events, months: &[Month]) -> Option<Self> {
        let (_, with_next) = months.split_last()?;
        let per_user = |months: &[Month], part: fn(&Month) -> usize| {
            let shares = months.iter().filter(|month| month.users > 0);
            mean(shares.map(|month| part(month) as f64 / month.users as f64))
        };
        Some(Self {
            count: months.len() as u64,
            sessions_per_user: per_user(months, |month| month.sessions)?,
            buying_share: per_user(months, |month| month.buyers)?,
            returning_share: per_user(with_next, |month| month.returning),
            products_bought_share: mean(bought_shares(events, months.len()).into_iter()),
        })
    }
}

/// For each month with a view, the share of the viewed products that are bought.
fn bought_shares(events: &Events, months: usize) -> Vec<f64> {
    let mut counts = vec![(0_u32, 0_u32); months];
    let by_product = Groups::new(&events.rows, events.products, |row| row.product);
    for product in by_product.iter() {
        let rows: Vec<(usize, EventType)> = product
            .iter()
            .map(|row| (events.month(row.micros), row.event_type))
            .collect();
        for of_month in rows.chunk_by(|(a, _), (b, _)| a == b) {
            let has = |event_type| of_month.iter().any(|&(_, of)| of == event_type);
            if let Some((viewed, bought)) = counts.get_mut(of_month[0].0)
                && has(EventType::View)
            {
                *viewed += 1;
                *bought += u32::from(has(EventType::Purchase));
            }
        }
    }
    let viewed = counts.into_iter().filter(|&(viewed, _)| viewed > 0);
    viewed
        .map(|(viewed, bought)| f64::from(bought) / f64::from(viewed))
        .collect()
}

/// The mean; `None` if there are no values.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use crate::profile::fixtures::{self, measure, purchase, small_shop, view};

    const MONTH: i64 = 30 * fixtures::DAY;

    #[test]
    fn users_of_a_short_sample() {
        let users = measure(small_shop()).users;
        assert_eq!((users.views.unwrap().mean, users.sessions.unwrap().mean), (2.0, 1.5));
        // From s2 to s3.
        assert_eq!(users.days_between_sessions.unwrap().mean, 1.0 - 50.0 / 86_400.0);
        assert_eq!(users.by_month, None);
    }

    #[test]
    fn months_are_measured() {
        let months = measure([
            // The first month: three users with four sessions; one user buys one of two products.
            view(0, "ann", "s1", "boot"),
            purchase(10, "ann", "s1", "boot"),
            purchase(20, "ann", "s1", "boot"),
            view(30, "bob", "s2", "sock"),
            view(40, "cat", "s3", "sock"),
            view(50, "cat", "s4", "sock"),
            // The second month: two of them and a new user. One session began in the first month.
            view(MONTH, "cat", "s4", "boot"),
            view(MONTH + 1, "ann", "s5", "boot"),
            view(MONTH + 2, "dan", "s6", "hat"),
            // The third month is not complete.
            view(2 * MONTH + 5, "dan", "s7", "hat"),
        ])
        .users
        .by_month
        .unwrap();
        assert_eq!(months.count, 2);
        assert_eq!(months.sessions_per_user, (4.0 / 3.0 + 2.0 / 3.0) / 2.0);
        assert_eq!(months.buying_share, (1.0 / 3.0 + 0.0) / 2.0);
        assert_eq!(months.returning_share, Some(2.0 / 3.0));
        assert_eq!(months.products_bought_share, Some((0.5 + 0.0) / 2.0));
    }

    #[test]
    fn a_month_is_complete_on_its_last_day() {
        let months = |seconds| {
            measure([view(0, "u", "s", "p"), view(seconds, "u", "t", "p")])
                .users
                .by_month
        };
        assert_eq!(months(MONTH - 600).unwrap().count, 1);
        assert_eq!(months(MONTH - 600).unwrap().returning_share, None);
        assert_eq!(months(MONTH - 2 * fixtures::DAY), None);
    }
}
