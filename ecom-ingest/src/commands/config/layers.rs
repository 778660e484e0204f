//! The layers of options below the flags: the environment, and the values of the configuration file.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::file::{ConfigFile, Setting};
use super::options::is_setting;

/// Gives every option an environment variable, such as `ECOM_INPUT` for `--input`. Every switch
/// gets a value, so that a flag can also turn off what the file turns on.
pub(super) fn with_env_vars(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let arg = match (arg.get_env(), is_setting(&arg)) {
            (Some(variable), _) if is_empty(variable) => arg.env(None),
            (Some(_), _) => arg,
            (None, true) => {
                let variable = format!("ECOM_{}", arg.get_id().as_str().to_uppercase());
                match is_empty(variable.as_ref()) {
                    true => arg,
                    false => arg.env(variable).hide_env(true),
                }
            }
            (None, false) => return arg,
        };
        match arg.get_action() {
            ArgAction::SetTrue => with_bool_value(arg),
            _ => arg,
        }
    });
    command.mut_subcommands(with_env_vars)
}

/// Whether a variable is set to nothing, which scripts do for options that they leave open. It
/// counts as not set.
fn is_empty(variable: &OsStr) -> bool {
    std::env::var_os(variable).is_some_and(|value| value.is_empty())
}

/// Turns a switch into an option that takes true or false.
fn with_bool_value(switch: Arg) -> Arg {
    switch
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .value_name("false")
        .value_parser(BoolishValueParser::new())
        .default_missing_value("true")
        .default_value("false")
        .hide_default_value(true)
        .hide_possible_values(true)
}

/// Makes the values of the file the defaults of the command that was given.
pub(super) fn with_file_defaults(command: Command, file: &ConfigFile, given: &ArgMatches) -> Command {
    let mut path = Vec::new();
    let mut last = given;
    while let Some((name, below)) = last.subcommand() {
        path.push(name.to_owned());
        last = below;
    }
    let is_given = |id: &str| is_explicit(last, id);
    with_defaults_from(command, file, &path, 0, &is_given)
}

/// The same for one level of subcommands. An option that conflicts with one that was given is
/// left out.
fn with_defaults_from(
    command: Command,
    file: &ConfigFile,
    path: &[String],
    depth: usize,
    is_given: &dyn Fn(&str) -> bool,
) -> Command {
    let mut with_defaults = command.clone();
    for arg in command.get_arguments().filter(|arg| is_setting(arg)) {
        let Some(setting) = setting_of(file, &path[..depth], path, arg.get_id().as_str()) else {
            continue;
        };
        let conflicts = command.get_arg_conflicts_with(arg);
        if conflicts.iter().any(|conflict| is_given(conflict.get_id().as_str())) {
            continue;
        }
        let value = setting.value.clone();
        with_defaults = with_defaults.mut_arg(arg.get_id(), |arg| arg.required(false).default_value(value));
    }
    match path.get(depth) {
        None => with_defaults,
        Some(name) => {
            let Some(below) = command.find_subcommand(name) else {
                return with_defaults;
            };
            let below = with_defaults_from(below.clone(), file, path, depth + 1, is_given);
            with_defaults.mut_subcommand(name, |_| below)
        }
    }
}

/// The value that the file has for an option. The section of the command takes precedence over
/// those above it.
pub(super) fn setting_of<'a>(
    file: &'a ConfigFile,
    command: &[String],
    called: &[String],
    key: &str,
) -> Option<&'a Setting> {
    let said = file.settings.iter().filter(|setting| setting.key == key);
    // An option of the whole program may stand in the section of the command that is called, too.
    let reach = if command.is_empty() { called } else { command };
    said.filter(|setting| reach.starts_with(&setting.section))
        .max_by_key(|setting| setting.section.len())
}

/// Whether an option was given on the command line or in the environment.
fn is_explicit(matches: &ArgMatches, id: &str) -> bool {
    use clap::parser::ValueSource::{CommandLine, EnvVariable};
    matches.try_contains_id(id).is_ok() && matches!(matches.value_source(id), Some(CommandLine | EnvVariable))
}

/// The value of an option, and where it comes from, in words.
pub(super) fn source(
    matches: &ArgMatches,
    arg: &Arg,
    file: Option<(&ConfigFile, &Setting)>,
) -> (Option<String>, String) {
    use clap::parser::ValueSource::EnvVariable;
    let id = arg.get_id().as_str();
    let value = matches
        .get_raw(id)
        .and_then(|mut raw| raw.next())
        .map(|raw| PathBuf::from(raw).display().to_string());
    let source = match (matches.value_source(id), file) {
        (Some(EnvVariable), _) => {
            let variable = arg.get_env().unwrap_or_default();
            format!("environment, {}", variable.display())
        }
        (Some(_), Some((file, setting))) => format!("{}, line {}", file.path.display(), setting.line),
        (Some(_), None) => "default".to_owned(),
        (None, _) => "not set".to_owned(),
    };
    (value, source)
}
