//! What a mapping for a file may look like, proposed from what stands in it.
//!
//! A bounded `sample` is read and taken apart, each `column` is looked at, and `guesses` are made of what `synonyms` and `time_formats`
//! say that it may mean. The `proposal` is written as TOML for a person to read: with what was seen, and what nobody could
//! tell.

mod column;
mod guesses;
mod prices;
mod proposal;
mod sample;
mod synonyms;
mod time_formats;

use std::io;
use std::path::Path;

use guesses::Guesses;
pub use proposal::Proposal;
use sample::Sample;

use crate::contract::{Error, ErrorKind, Result};

/// Proposes a mapping for a file from the first MiB of what stands in it; compressed files are decompressed as their name
/// says.
///
/// # Errors
///
/// When the file can't be read, or has nothing that could be told apart as rows and columns.
pub async fn infer_mapping(path: impl AsRef<Path>) -> Result<Proposal> {
    let path = path.as_ref();
    let shown = path.display();
    let sample = Sample::read(path).await.map_err(|err| {
        let is_directory = err.kind() == io::ErrorKind::IsADirectory;
        let err = Error::new(ErrorKind::Source, format!("can't read {shown}")).caused_by(err);
        match is_directory {
            true => err.hint("name a file in it"),
            false => err,
        }
    })?;
    if sample.rows.is_empty() {
        return Err(Error::new(ErrorKind::Source, format!("{shown} has no rows to look at")));
    }
    let columns = sample.columns();
    let guesses = Guesses::new(&columns);
    Ok(proposal::propose(&shown.to_string(), &sample, &columns, &guesses))
}
