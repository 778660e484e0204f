//! The option `--names`: patterns for the names of files that are read beside .csv and .tsv.

use clap::Args;
use ecom_stream::NamePatterns;

#[derive(Debug, Args)]
pub(crate) struct Names {
    /// Also read files with these names, beside .csv and .tsv; * stands for any characters, and several patterns are separated by commas:
    /// --names '*.txt,orders_*'. Each may have .gz or .zst behind it. Other files are not touched
    #[arg(long, value_name = "PATTERNS", value_parser = patterns)]
    names: Option<NamePatterns>,
}

impl Names {
    /// The names of the files that are read.
    pub(crate) fn patterns(&self) -> NamePatterns {
        self.names.clone().unwrap_or_default()
    }
}

/// The patterns between commas.
fn patterns(text: &str) -> Result<NamePatterns, String> {
    let patterns = text.split(',').map(str::trim);
    NamePatterns::new(patterns).map_err(|err| err.to_string())
}
