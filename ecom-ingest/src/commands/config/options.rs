//! Which options of the command line may be given in the configuration file or the environment.

use clap::{Arg, Command};

/// The option that names the file: the only one that can't stand in it.
pub(super) const ID_OF_FILE: &str = "config";

/// Options that say what one call is about: in the environment or a file they would surprise.
const OF_ONE_CALL: &[&str] = &[
    "moved",
    "take_over",
    "dry_run",
    "watch",
    "json",
    "to",
    "id",
    "all",
    "only",
    "reason",
    "file",
    "columns",
    "limit",
];

fn is_of_one_call(arg: &Arg) -> bool {
    OF_ONE_CALL.contains(&arg.get_id().as_str())
}

/// What of the options can stand in a file.
pub(super) fn is_setting(arg: &Arg) -> bool {
    arg.get_long()
        .is_some_and(|long| !["help", "version", ID_OF_FILE].contains(&long))
        && !is_of_one_call(arg)
}

/// The same options, with none of them required.
pub(super) fn lenient(command: Command) -> Command {
    let command = command.mut_args(|arg| arg.required(false));
    command.mut_subcommands(lenient)
}
