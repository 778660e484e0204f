//! Infers a mapping for a file from its content.
//!
//! ```text
//!  file ─► sample ─► column, column, …  ─► guesses ─► proposal
//!          first MiB  values of each       a verdict   TOML with comments
//!          as rows                         a field
//! ```
//!
//! The `text_traits` are what of the text must be said: encoding, lines above the header, comments, escapes, blanks. The `sample` finds
//! the delimiter, the quote and the header. The `guesses` ask for each field of an event which columns may be it
//! (`event_times`, `event_types`, `identifiers`, `price_columns`). They use what the values look like (`time_formats`, `prices`), how
//! columns relate (`relations`), and what columns and event types are often called (`synonyms`, `names`). A date is joined with its time
//! of day (`times_of_day`) and its zone (`zones`) to a `time_reading`. The `verdict` on a field is one
//! column that has no rival, or the columns among which a person must choose. The `proposal` is TOML for a person to review: it shows
//! what was seen, and marks what nobody could tell.

mod column;
mod event_times;
mod event_types;
mod guesses;
mod identifiers;
mod names;
mod number_keys;
mod price_columns;
mod prices;
mod proposal;
mod relations;
mod sample;
mod synonyms;
mod text_traits;
mod time_formats;
mod time_reading;
mod times_of_day;
mod toml_text;
mod verdict;
mod zones;

use std::io;
use std::path::Path;

use guesses::Guesses;
pub use proposal::Proposal;
use sample::Sample;

use crate::contract::{Error, ErrorKind, Result};

/// Proposes a mapping for a file from its first MiB. A compressed file is decompressed, as its name says.
///
/// ```
/// use ecom_stream::{Mapping, infer::infer_mapping};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("shop.csv");
/// std::fs::write(&path, "time;action;customer;visit;sku\n\
///                        2026-11-01 10:00;view;c1;v1;p1\n\
///                        2026-11-01 10:05;cart;c1;v1;p1\n")?;
/// let proposal = infer_mapping(&path).await?;
/// assert!(proposal.missing.is_empty());
/// assert!(proposal.toml.contains(r#"delimiter = ";""#));
/// Mapping::from_toml(&proposal.toml)?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Source`] when the file can't be read, is not text, or has no rows below a header.
pub async fn infer_mapping(path: impl AsRef<Path>) -> Result<Proposal> {
    let path = path.as_ref();
    let shown = path.display();
    let sample = Sample::read(path).await.map_err(|err| {
        let is_directory = err.kind() == io::ErrorKind::IsADirectory;
        let err = Error::new(ErrorKind::Source, format!("can't read {shown}")).caused_by(err);
        match is_directory {
            true => err.hint("it is a directory: name a file in it"),
            false => err,
        }
    })?;
    if sample.rows.is_empty() {
        return Err(Error::new(
            ErrorKind::Source,
            format!("{shown} has no rows to infer a mapping from"),
        ));
    }
    let columns = sample.columns();
    let guesses = Guesses::new(&columns);
    Ok(proposal::propose(&shown.to_string(), &sample, &columns, &guesses))
}
