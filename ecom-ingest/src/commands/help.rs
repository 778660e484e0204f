//! The text below the help of the program: how options are given, and the exit codes.

pub(super) const AFTER_HELP: &str = "\
Every option may also stand in the environment (ECOM_INPUT for --input) or in the file (input).
Flags come first, then the environment, then the file: `ecom-ingest config print` shows what holds.
RUST_LOG says what is logged, such as debug.

Exit codes:
  0    done, or stopped by SIGINT or SIGTERM after committing what was read
  1    the run failed; what was committed stays, and the next run goes on after it
  2    the command line cannot be understood
  3    something is configured in a way that cannot work
  4    the schema of the database is not as it should be
  5    the database cannot be reached
  6    another instance has taken over the pipeline
  7    check: some of what the files have would be refused
  130  a second signal ended the program at once";
