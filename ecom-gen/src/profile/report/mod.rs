//! The report: a profile compared with real shops.

mod band;
mod targets;

use std::fmt;

pub use self::band::{Band, Unit};
pub use self::targets::{TARGETS, Target};
use super::sample_length::SampleLength;
use super::sections::Profile;

/// A profile compared with real shops. It displays as a table.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// A line for each target, in the order of [`TARGETS`].
    pub lines: Vec<ReportLine>,
}

/// The result for one target.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReportLine {
    /// The target.
    pub target: &'static Target,
    /// The measured value; `None` if the sample does not have it.
    pub value: Option<f64>,
    /// Whether the value is accepted.
    pub verdict: Verdict,
}

/// Whether a value is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The value is in the band.
    In,
    /// The value is outside the band.
    Out,
    /// The sample is too short or too small to decide.
    TooShort,
    /// Any value is accepted.
    Unjudged,
}

impl Profile {
    /// Compares the profile with real shops.
    pub fn report(&self) -> Report {
        let line = |target: &'static Target| {
            let value = (target.value)(self).filter(|value| value.is_finite());
            let judged = value.filter(|_| target.sample.is_reached_by(self.volume.days));
            let verdict = match (judged, target.band) {
                (None, _) => Verdict::TooShort,
                (Some(_), None) => Verdict::Unjudged,
                (Some(value), Some(band)) if band.accepts(value) => Verdict::In,
                (Some(_), Some(_)) => Verdict::Out,
            };
            ReportLine { target, value, verdict }
        };
        Report {
            lines: TARGETS.iter().map(line).collect(),
        }
    }
}

impl Report {
    /// The number of lines with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.lines.iter().filter(|line| line.verdict == verdict).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name_width = self.lines.iter().map(|line| line.target.name.len()).max().unwrap_or(0);
        writeln!(
            f,
            "row  {:name_width$}  {:>10}  {:<16}  verdict",
            "measure", "value", "band"
        )?;
        for line in &self.lines {
            let ReportLine { target, value, verdict } = line;
            let value = value.map_or_else(|| "-".to_owned(), |value| target.unit.write(value));
            let band = target
                .band
                .map_or_else(|| "any".to_owned(), |band| target.unit.write_band(band));
            write!(
                f,
                "{:>3}  {:name_width$}  {value:>10}  {band:<16}  ",
                target.row, target.name
            )?;
            match (verdict, target.note) {
                (Verdict::TooShort, _) if target.sample == SampleLength::Any => writeln!(f, "too few events")?,
                (Verdict::TooShort, _) => writeln!(f, "needs {}", target.sample)?,
                (_, "") => writeln!(f, "{verdict}")?,
                (_, note) => writeln!(f, "{verdict:<7}  {note}")?,
            }
        }
        write!(
            f,
            "{} in, {} out, {} undecided because the sample is too short or too small",
            self.count(Verdict::In),
            self.count(Verdict::Out),
            self.count(Verdict::TooShort)
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::In => "in",
            Self::Out => "OUT",
            Self::TooShort => "short",
            Self::Unjudged => "-",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::fixtures::{measure, small_shop};

    #[test]
    fn every_line_has_a_verdict() {
        let report = measure(small_shop()).report();
        let verdict = |name| {
            report
                .lines
                .iter()
                .find(|line| line.target.name == name)
                .unwrap()
                .verdict
        };
        assert_eq!(verdict("sessions of one event"), Verdict::In);
        assert_eq!(verdict("views"), Verdict::Out);
        assert_eq!(verdict("customers with one order"), Verdict::TooShort);
        assert_eq!(verdict("top pairs, median lift"), Verdict::TooShort);
        assert_eq!(verdict("events out of order"), Verdict::Unjudged);
        assert_eq!(report.lines.len(), TARGETS.len());
    }

    #[test]
    fn it_displays_as_a_table() {
        let text = measure(small_shop()).report().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), TARGETS.len() + 2);
        let of = |name: &str| *lines.iter().find(|line| line.contains(name)).unwrap();
        assert_eq!(
            of("sessions of one event"),
            "  8  sessions of one event                   33.3 %  30 to 45 %        in"
        );
        assert!(of("customers with one order").ends_with("needs a year"));
        assert!(of("top pairs, median lift").ends_with("too few events"));
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() <= 132 && line.trim_end() == *line),
            "{text}"
        );
    }

    #[test]
    fn an_empty_profile_can_be_reported() {
        let report = measure([]).report();
        assert_eq!(report.to_string().lines().count(), TARGETS.len() + 2);
    }
}
