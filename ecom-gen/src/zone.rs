//! Time zones by name or by offset.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// A time zone: an IANA name such as `Europe/Berlin`, or an offset such as `+02:00`. A shop's hours and weekdays are
/// those of its zone.
///
/// The time zone database is compiled in, so a shop does not depend on the machine it runs on.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// A text that is not a [`Zone`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time zone: write an IANA name such as Europe/Berlin, or an offset such as +02:00")]
pub struct ZoneError(String);

impl Zone {
    /// Coordinated universal time (UTC).
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The seconds to add to UTC to get the local time.
    pub(crate) fn offset_seconds(&self, unix_micros: i64) -> i64 {
        // jiff has no offsets outside its range of years.
        Timestamp::from_microsecond(unix_micros).map_or(0, |at| i64::from(self.0.to_offset(at).seconds()))
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        let no_zone = || ZoneError(text.to_owned());
        let offset = || {
            let (sign, rest) = match text.as_bytes().first()? {
                b'+' => (1, &text[1..]),
                b'-' => (-1, &text[1..]),
                _ => return None,
            };
            let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
            if ![hours, minutes]
                .iter()
                .all(|part| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'9', b'0'..=b'9']))
            {
                return None;
            }
            let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
            match minutes < 60 && hours <= 14 {
                true => Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok(),
                false => None,
            }
        };
        if let Some(offset) = offset() {
            return Ok(Self(offset.to_time_zone()));
        }
        TimeZone::get(text).map(Self).map_err(|_| no_zone())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.iana_name() {
            Some(name) => f.write_str(name),
            None => {
                let seconds = self.offset_seconds(0);
                let sign = if seconds < 0 { '-' } else { '+' };
                let minutes = seconds.abs() / 60;
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_round_trip() {
        for (text, shown) in [
            ("UTC", "UTC"),
            ("Europe/Berlin", "Europe/Berlin"),
            ("+02:00", "+02:00"),
            ("-3", "-03:00"),
        ] {
            let zone: Zone = text.parse().unwrap();
            assert_eq!(zone.to_string(), shown);
            assert_eq!(shown.parse::<Zone>().unwrap(), zone);
        }
        for text in ["", "Berlin", "+", "+25:00", "+02:60", "++1", "+1:", "Europe/Berlin "] {
            assert!(text.parse::<Zone>().is_err(), "{text}");
        }
    }
}
