//! Which options of the command line may be given in the configuration file or the environment.

use clap::{Arg, Command};

/// The option that names the file: the only one that cannot be in it.
pub(super) const ID_OF_FILE: &str = "config";

/// Options that are about one call: in the environment or in a file they would surprise.
const FLAGS_ONLY: &[&str] = &[
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

/// Whether an option may only be given on the command line.
fn is_flag_only(arg: &Arg) -> bool {
    FLAGS_ONLY.contains(&arg.get_id().as_str())
}

/// Whether an option may be in the file or in the environment.
pub(super) fn is_setting(arg: &Arg) -> bool {
    arg.get_long()
        .is_some_and(|long| !["help", "version", ID_OF_FILE].contains(&long))
        && !is_flag_only(arg)
}

/// The same command, with none of its options required.
pub(super) fn without_required(command: Command) -> Command {
    let command = command.mut_args(|arg| arg.required(false));
    command.mut_subcommands(without_required)
}
