//! The option `--nulls`: words for no value in files that are read without a mapping.

use clap::Args;
use ecom_stream::Rules;

#[derive(Debug, Args)]
pub(crate) struct Nulls {
    /// Words that mean no value, in files that are read without a mapping, separated by commas: --nulls 'NULL,nan,(not set)'
    #[arg(long, value_name = "WORDS", value_parser = words, conflicts_with = "map")]
    nulls: Option<Words>,
}

/// The words of the option.
#[derive(Debug, Clone)]
struct Words(Vec<String>);

impl Nulls {
    /// The usual rules, with these words.
    pub(crate) fn rules(&self) -> Rules {
        let words = self.nulls.iter().flat_map(|words| words.0.iter().cloned());
        Rules::default().nulls(words)
    }
}

/// The words between commas.
fn words(text: &str) -> Result<Words, String> {
    let words: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).collect();
    match words.iter().any(String::is_empty) {
        true => Err("a word is empty: an empty field always means no value".to_owned()),
        false => Ok(Words(words)),
    }
}
