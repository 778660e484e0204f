//! The options: flags, then the environment, then one file, then defaults. The command line is the only list of them.

mod file;
mod layers;
mod print;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, Subcommand};
use ecom_stream::{Error, ErrorKind, Result};

pub(crate) use file::ConfigFile;
pub(crate) use layers::ask_environment;

/// Reads the command line on top of the environment and the file, which is where these say.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] when the file can't be read, or has what no option has. Ends the program where the command
/// line can't be understood or asks for help.
pub(crate) fn read(command: Command, args: impl IntoIterator<Item = OsString>) -> Result<ArgMatches> {
    let args: Vec<OsString> = args.into_iter().collect();
    let command = ask_environment(command);
    // What is given there tells which file, and what of it is overruled.
    let Ok(given) = layers::lenient(command.clone()).try_get_matches_from(&args) else {
        return Ok(command.get_matches_from(args));
    };
    let command = match file_of(&given) {
        Some(path) => {
            let file = ConfigFile::read(path)?;
            file.check(&command)?;
            layers::put_under(command, &file, &given)
        }
        None => command,
    };
    Ok(command.get_matches_from(args))
}

fn file_of(given: &ArgMatches) -> Option<&PathBuf> {
    given.get_one(ID_OF_FILE)
}

/// The option that names the file: the only one that can't stand in it.
const ID_OF_FILE: &str = "config";

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Checks the file: every key must be an option, every value one that it takes, and mapping and input must be there
    Check,
    /// Prints every option with its value and where that comes from, as a file that can be used; secrets are hidden
    Print,
}

impl Config {
    pub(crate) fn run(self, command: Command, path: Option<PathBuf>) -> Result<()> {
        let command = ask_environment(command);
        match self.command {
            ConfigCommand::Check => {
                let Some(path) = path else {
                    return Err(Error::new(ErrorKind::Configuration, "there is no file to check")
                        .hint("name one: --config FILE, or ECOM_CONFIG in the environment"));
                };
                let file = ConfigFile::read(&path)?;
                file.check(&command)?;
                file.check_places()?;
                file.warn_of_readers();
                crate::output::line(&format!(
                    "{}: {} options, all good",
                    path.display(),
                    file.settings.len()
                ))
            }
            ConfigCommand::Print => {
                let file = path.map(|path| ConfigFile::read(&path)).transpose()?;
                crate::output::text(&print::printed(command, file.as_ref())?)
            }
        }
    }
}
