//! The program `ecom-ingest`, which loads the CSV files of a directory into PostgreSQL, exactly once.

mod commands;

use std::env::args_os;
use std::io::{Write, stderr};
use std::process::ExitCode;

use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(err) => {
            let _ = writeln!(stderr(), "ecom-ingest: cannot start its threads: {err}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(commands::run_named(args_os()));
    // A thread that is blocked, for example by a directory on a server that is gone, does not keep the program.
    runtime.shutdown_background();
    code
}
