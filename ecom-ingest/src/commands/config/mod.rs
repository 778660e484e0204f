//! The options: flags, then the environment, then one file, then defaults. The command line is the only list of them.

mod command;
mod file;
mod layers;
mod options;
mod print;
mod read;

pub(super) use command::Config;
pub(super) use read::read;
