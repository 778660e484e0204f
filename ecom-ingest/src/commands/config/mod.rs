//! The options, in four layers: flags, the environment, the configuration file, defaults.

mod command;
mod file;
mod layers;
mod options;
mod print;
mod read;

pub(super) use command::Config;
pub(super) use read::read;
