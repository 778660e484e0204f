//! The options, in four layers: flags, the environment, the configuration file, defaults.
//!
//! The command line is the only list of options. The other layers are applied to its definition
//! before it is parsed, so that one parser checks all values:
//!
//! ```text
//! clap definition ──► with_env_vars ──► parse leniently: which command, which file?
//!                                           └──► with_file_defaults ──► parse strictly
//! ```

mod command;
mod file;
mod layers;
mod options;
mod print;
mod read;

pub(super) use command::Config;
pub(super) use read::read;
