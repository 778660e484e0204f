//! The program `ecom-ingest`, which loads the CSV files of a directory into PostgreSQL, exactly once.

mod commands;

use std::env::args_os;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    commands::run_named(args_os()).await
}
