//! Reads the command line on top of the environment and the configuration file.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Command};
use ecom_stream::Result;

use super::file::ConfigFile;
use super::layers::{with_env_vars, with_file_defaults};
use super::options::{ID_OF_FILE, without_required};

/// Reads the command line on top of the environment and the file that one of them names.
///
/// # Errors
///
/// [`ErrorKind::Configuration`](ecom_stream::ErrorKind::Configuration) when the file cannot be
/// read, or has a key or value that no option has. Ends the program if the command line cannot be
/// parsed or asks for help.
pub(crate) fn read(command: Command, args: impl IntoIterator<Item = OsString>) -> Result<ArgMatches> {
    let args: Vec<OsString> = args.into_iter().collect();
    let command = with_env_vars(command);
    // What is given there tells which file, and what of it is overruled.
    let Ok(given) = without_required(command.clone()).try_get_matches_from(&args) else {
        return Ok(command.get_matches_from(args));
    };
    let command = match file_of(&given) {
        Some(path) => {
            let file = ConfigFile::read(path)?;
            file.check(&command)?;
            with_file_defaults(command, &file, &given)
        }
        None => command,
    };
    Ok(command.get_matches_from(args))
}

/// The file that the command line or the environment names.
fn file_of(given: &ArgMatches) -> Option<&PathBuf> {
    given.get_one(ID_OF_FILE)
}
