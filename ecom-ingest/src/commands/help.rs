//! The text below the help of the program: how options are given, and the exit codes.

pub(super) const AFTER_HELP: &str = "\
Every option can also be set in the environment (ECOM_INPUT for --input) or in the configuration file (input).
Flags override the environment, which overrides the file: `ecom-ingest config print` shows the result.
RUST_LOG sets the level of the log, such as debug.

Exit codes:
  0    done, or stopped by SIGINT or SIGTERM after committing what was read
  1    the command failed; what was committed stays, and the next run continues after it
  2    the command line cannot be parsed
  3    the configuration is wrong
  4    the schema of the database does not fit this program
  5    the database cannot be reached
  6    another instance was started with --take-over, and has taken over the pipeline
  7    check: some records would be rejected, or a file cannot be used
  8    run --once --fail-over: more records were rejected than that, or a file cannot be read completely
  130  a second signal ended the program at once";
