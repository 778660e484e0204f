//! The commands of the program: each parses its arguments, calls the libraries and prints.
//!
//! A command holds no logic that a user of the libraries could not call. `cli` dispatches to the
//! commands and maps errors to exit codes; `config` provides the layers below the command line.

mod check;
mod cli;
mod completions;
mod config;
mod database;
mod fail_over;
mod help;
mod infer;
mod maintenance;
mod names;
mod near;
mod nulls;
mod rejects;
mod run;
mod schema;
mod status;

pub(crate) use cli::run_named;
