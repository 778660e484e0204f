//! The commands of the program: each parses its arguments, calls the libraries and prints.

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
