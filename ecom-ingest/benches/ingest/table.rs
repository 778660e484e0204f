//! The table of results.

use std::fmt;

/// Lines of figures, each with what it is compared with, and the aim.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<[String; 4]>);

impl Table {
    /// Adds a figure, what it is compared with (`compared_with`), and its aim (`aim`).
    pub(crate) fn line(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        compared_with: impl Into<String>,
        aim: impl Into<String>,
    ) {
        let line = [what.into(), figure.into(), compared_with.into(), aim.into()];
        eprintln!("  {}: {} ({}; {})", line[0], line[1], line[2], line[3]);
        self.0.push(line);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | figure | compared with | aim |\n|---|---|---|---|")?;
        for [what, figure, compared_with, aim] in &self.0 {
            writeln!(f, "| {what} | {figure} | {compared_with} | {aim} |")?;
        }
        Ok(())
    }
}

/// The median.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    percentile(&mut values, 50)
}

/// The value below which `percent` percent of the values are; NaN if there are none.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}
