//! Reads the command line on top of the environment and the configuration file.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Command};
use ecom_stream::Result;

use super::file::ConfigFile;
use super::layers::{ask_environment, put_under};
use super::options::{ID_OF_FILE, lenient};

/// Reads the command line on top of the environment and the file, which is where these say.
///
/// # Errors
///
/// [`ErrorKind::Configuration`](ecom_stream::ErrorKind::Configuration) when the file can't be read, or has what no option has. Ends the program where the command
/// line can't be understood or asks for help.
pub(crate) fn read(command: Command, args: impl IntoIterator<Item = OsString>) -> Result<ArgMatches> {
    let args: Vec<OsString> = args.into_iter().collect();
    let command = ask_environment(command);
    // What is given there tells which file, and what of it is overruled.
    let Ok(given) = lenient(command.clone()).try_get_matches_from(&args) else {
        return Ok(command.get_matches_from(args));
    };
    let command = match file_of(&given) {
        Some(path) => {
            let file = ConfigFile::read(path)?;
            file.check(&command)?;
            put_under(command, &file, &given)
        }
        None => command,
    };
    Ok(command.get_matches_from(args))
}

fn file_of(given: &ArgMatches) -> Option<&PathBuf> {
    given.get_one(ID_OF_FILE)
}
