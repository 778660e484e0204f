//! The command `config`: checks the configuration file, or prints the values of all options.

use std::path::PathBuf;

use clap::{Args, Command, Subcommand};
use ecom_ingest::format::on_one_line;
use ecom_ingest::output;
use ecom_stream::{Error, ErrorKind, Result};

use super::file::ConfigFile;
use super::layers::with_env_vars;
use super::print::printed;

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Checks the file: every key must be an option with a valid value, and the mapping and the input directory must exist
    Check,
    /// Prints every option with its value and its source, as a configuration file; secrets are hidden
    Print,
}

impl Config {
    pub(crate) fn run(self, command: Command, path: Option<PathBuf>) -> Result<()> {
        let command = with_env_vars(command);
        match self.command {
            ConfigCommand::Check => {
                let Some(path) = path else {
                    return Err(Error::new(ErrorKind::Configuration, "no configuration file is given")
                        .hint("name it with --config FILE, or with ECOM_CONFIG in the environment"));
                };
                let file = ConfigFile::read(&path)?;
                file.check(&command)?;
                file.check_places()?;
                file.warn_of_readers();
                output::line(&format!(
                    "{}: {} options, all valid",
                    on_one_line(&path.display().to_string()),
                    file.settings.len()
                ))
            }
            ConfigCommand::Print => {
                let file = path.map(|path| ConfigFile::read(&path)).transpose()?;
                output::text(&printed(command, file.as_ref())?)
            }
        }
    }
}
