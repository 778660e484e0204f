//! The value of `--scenario`.

use std::str::FromStr;
use std::time::Duration;

use ecom_gen::Scenario;
use humantime::parse_duration;
use time::OffsetDateTime;

use crate::units::time_or_date;

/// The value of `--scenario`. Wholesale is a set of parameters rather than a [`Scenario`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ScenarioArg {
    Scenario(Scenario),
    Wholesale,
}

impl FromStr for ScenarioArg {
    type Err = String;

    /// Parses `bot`, `wholesale`, `campaign=2026-11-27`, `campaign=2026-11-27/3d` or `outage=2026-11-27T10:00:00Z/1h`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, span) = match text.split_once('=') {
            Some((name, span)) => (name, Some(span)),
            None => (text, None),
        };
        let day = Duration::from_secs(24 * 60 * 60);
        match (name, span) {
            ("bot", None) => Ok(Self::Scenario(Scenario::Bot)),
            ("wholesale", None) => Ok(Self::Wholesale),
            ("campaign", Some(span)) => {
                let (from, until) = parse_span(span, Some(day))?;
                Ok(Self::Scenario(Scenario::Campaign { from, until }))
            }
            ("outage", Some(span)) => {
                let (from, until) = parse_span(span, None)?;
                Ok(Self::Scenario(Scenario::Outage { from, until }))
            }
            _ => Err(
                "write bot, wholesale, campaign=2026-11-27, campaign=2026-11-27/3d or outage=2026-11-27T10:00:00Z/1h"
                    .to_owned(),
            ),
        }
    }
}

/// Parses a start and a duration, such as `2026-11-27/3d`.
fn parse_span(text: &str, default: Option<Duration>) -> Result<(OffsetDateTime, OffsetDateTime), String> {
    let (from, long) = match text.split_once('/') {
        Some((from, long)) => (from, Some(long)),
        None => (text, None),
    };
    let from = time_or_date(from)
        .ok_or_else(|| format!("{from:?} is not a time: write 2026-11-27T10:00:00Z or 2026-11-27"))?;
    let long = match (long, default) {
        (Some(long), _) => {
            parse_duration(long).map_err(|err| format!("{long:?} is not a duration: {err}; write 1h"))?
        }
        (None, Some(long)) => long,
        (None, None) => return Err("the duration is missing: write 2026-11-27T10:00:00Z/1h".to_owned()),
    };
    let until = time::Duration::try_from(long)
        .ok()
        .and_then(|long| from.checked_add(long));
    match until {
        Some(until) if until > from => Ok((from, until)),
        Some(_) => Err("the duration must be above 0: write 1h".to_owned()),
        None => Err("the duration is too long".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn scenarios_are_parsed() {
        let from = datetime!(2026-11-27 00:00 UTC);
        let until = datetime!(2026-11-28 00:00 UTC);
        let campaign = |until| Ok(ScenarioArg::Scenario(Scenario::Campaign { from, until }));
        assert_eq!("campaign=2026-11-27".parse(), campaign(until));
        assert_eq!("campaign=2026-11-27/24h".parse(), campaign(until));
        assert_eq!("bot".parse(), Ok(ScenarioArg::Scenario(Scenario::Bot)));
        assert_eq!("wholesale".parse(), Ok(ScenarioArg::Wholesale));
        assert!("outage=2026-11-27T10:00:00Z/1h".parse::<ScenarioArg>().is_ok());
        for text in [
            "",
            "bot=1",
            "campaign",
            "outage=2026-11-27",
            "outage=x/1h",
            "outage=2026-11-27/soon",
            "campaign=2026-11-27/0s",
            "flood",
        ] {
            assert!(text.parse::<ScenarioArg>().is_err(), "{text}");
        }
    }
}
