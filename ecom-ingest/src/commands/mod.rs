//! The commands of the program, a file each. They parse their arguments, call the libraries and print.

mod check;
mod cli;
mod completions;
mod config;
mod database;
mod help;
mod infer;
mod maintenance;
mod rejects;
mod run;
mod schema;
mod status;

pub(crate) use cli::run_named;
