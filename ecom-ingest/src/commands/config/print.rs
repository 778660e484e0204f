//! Prints all options as a configuration file, with the source of each value.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::{Arg, Command};
use ecom_ingest::format::on_one_line;
use ecom_sink_pg::without_password;
use ecom_stream::Result;

use super::file::ConfigFile;
use super::layers::{setting_of, source, with_file_defaults};
use super::options::{is_setting, without_required};

/// An option as it is printed.
struct Printed {
    section: Vec<String>,
    key: String,
    value: Option<String>,
    source: String,
}

/// The options of all commands as a file: first those that several commands have with one value,
/// then those of each command.
pub(super) fn printed(command: Command, file: Option<&ConfigFile>) -> Result<String> {
    if let Some(file) = file {
        file.check(&command)?;
    }
    let mut all = Vec::new();
    collect(&command, &command, file, &mut Vec::new(), &mut all);
    let mut of_key: BTreeMap<&str, Vec<&Printed>> = BTreeMap::new();
    for printed in &all {
        of_key.entry(&printed.key).or_default().push(printed);
    }
    let is_shared = |printed: &Printed| {
        let same = &of_key[&*printed.key];
        printed.section.is_empty()
            || same.len() > 1
                && same
                    .iter()
                    .all(|other| (&other.value, &other.source) == (&printed.value, &printed.source))
    };
    let mut text = String::new();
    let mut shown = Vec::new();
    for printed in all.iter().filter(|printed| is_shared(printed)) {
        if !shown.contains(&&printed.key) {
            shown.push(&printed.key);
            line(&mut text, printed);
        }
    }
    let mut section: &[String] = &[];
    for printed in all.iter().filter(|printed| !is_shared(printed)) {
        if printed.section != section {
            section = &printed.section;
            let _ = writeln!(text, "\n[{}]", section.join("."));
        }
        line(&mut text, printed);
    }
    Ok(text)
}

/// Appends an option with its source.
fn line(text: &mut String, printed: &Printed) {
    let Printed { key, value, source, .. } = printed;
    let source = on_one_line(source);
    let _ = match value {
        Some(value) => {
            let assigned = format!("{key} = {value}");
            writeln!(text, "{assigned:<44} # {source}")
        }
        None => {
            let assigned = format!("# {key} =");
            writeln!(text, "{assigned:<44} # {source}")
        }
    };
}

/// Collects the options of a command and of those below it.
fn collect(
    root: &Command,
    command: &Command,
    file: Option<&ConfigFile>,
    section: &mut Vec<String>,
    all: &mut Vec<Printed>,
) {
    let is_leaf = command.get_subcommands().next().is_none();
    if is_leaf || section.is_empty() {
        // The command as if it were called without a flag.
        let mut line = vec![root.get_name().to_owned()];
        line.extend(section.iter().cloned());
        let without_required = without_required(root.clone())
            .subcommand_required(false)
            .arg_required_else_help(false);
        let given = without_required.clone().try_get_matches_from(&line).unwrap_or_default();
        let with_file = match file {
            Some(file) => with_file_defaults(without_required, file, &given),
            None => without_required,
        };
        let matches = with_file.try_get_matches_from(&line).unwrap_or_default();
        let mut of_command = &matches;
        while let Some((_, below)) = of_command.subcommand() {
            of_command = below;
        }
        for arg in command.get_arguments().filter(|arg| is_setting(arg)) {
            let setting =
                file.and_then(|file| Some((file, setting_of(file, section, section, arg.get_id().as_str())?)));
            let (value, from) = source(of_command, arg, setting);
            all.push(Printed {
                section: section.clone(),
                key: arg.get_id().to_string(),
                value: value.map(|value| shown(arg, &value)),
                source: from,
            });
        }
    }
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        section.push(below.get_name().to_owned());
        collect(root, below, file, section, all);
        section.pop();
    }
}

/// A value as it is written in a file, without passwords.
fn shown(arg: &Arg, value: &str) -> String {
    // Options whose values in the environment are not shown are secret; so may be those of a database in the
    // place of another value.
    let names_database = value.contains("://") || value.to_ascii_lowercase().contains("password");
    if arg.is_hide_env_values_set() || names_database {
        return text(&without_password(value));
    }
    let is_number = value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
    match is_number || value == "true" || value == "false" {
        true => value.to_owned(),
        false => text(value),
    }
}

/// A text in TOML, whose basic strings are those of JSON.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
