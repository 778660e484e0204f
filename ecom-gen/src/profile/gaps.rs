//! The time between two events of a session.

use serde::{Deserialize, Serialize};

use super::events::{SECOND, share};
use super::groups::Groups;
use super::statistics::{LogNormal, SummaryStatistics};

/// The time between two consecutive events of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Gaps {
    /// The share of pairs at the same instant: mostly the lines of one order. The other values leave them out.
    pub zero_share: f64,
    /// The distribution of the seconds.
    pub seconds: Option<SummaryStatistics>,
    /// The lognormal distribution fitted to the seconds.
    pub log: Option<LogNormal>,
}

impl Gaps {
    pub(super) fn of(by_session: &Groups<'_>) -> Self {
        let mut zero = 0;
        let mut seconds = Vec::new();
        for (before, this) in by_session.iter().flat_map(|session| session.pairs()) {
            match this.micros - before.micros {
                0 => zero += 1,
                gap => seconds.push(gap as f64 / SECOND as f64),
            }
        }
        Self {
            zero_share: share(zero, zero + seconds.len()),
            log: LogNormal::of(&seconds),
            seconds: SummaryStatistics::of(&mut seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::profile::fixtures::{measure, purchase, small_shop, view};

    #[test]
    fn gaps_are_within_sessions() {
        let gaps = measure(small_shop()).gaps;
        // 20, 20 and 40 in s1, 10 in s3.
        let seconds = gaps.seconds.unwrap();
        assert_eq!(
            (seconds.count, seconds.mean, seconds.median, seconds.max),
            (4, 22.5, 20.0, 40.0)
        );
        let mean_of_logs = [20.0_f64, 20.0, 40.0, 10.0].map(f64::ln).iter().sum::<f64>() / 4.0;
        assert!((gaps.log.unwrap().mu - mean_of_logs).abs() < 1e-12);
        assert_eq!(gaps.zero_share, 0.0);
    }

    #[test]
    fn lines_of_one_order_have_no_gap() {
        let lines = ["a", "b", "c"].map(|product| purchase(30, "u", "s", product));
        let gaps = measure([view(0, "u", "s", "a")].into_iter().chain(lines)).gaps;
        assert_eq!((gaps.zero_share, gaps.seconds.unwrap().count), (2.0 / 3.0, 1));
        assert_eq!(gaps.log, None);
    }
}
