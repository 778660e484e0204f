//! The configuration file in TOML: each key and value is checked against the options of the command line.

use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap::error::{ContextKind, ErrorKind as Wrong};
use ecom_sink_pg::{PgSink, without_password};
use ecom_stream::{Error, ErrorKind, Mapping, Result};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::options::{is_setting, without_required};
use crate::commands::near::nearest;

const DATABASE_URL: &str = "database_url";

/// The configuration file: where it is, and the settings in it.
#[derive(Debug)]
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    /// In the order of the file.
    pub(super) settings: Vec<Setting>,
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Setting {
    /// The command that it is for; empty for all commands that have such an option.
    pub(super) section: Vec<String>,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) line: usize,
}

impl ConfigFile {
    /// Reads and parses the file.
    ///
    /// # Errors
    ///
    /// `Configuration`, with the line.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|err| {
            Error::new(
                ErrorKind::Configuration,
                format!("cannot read the configuration {}", path.display()),
            )
            .hint("--config, or ECOM_CONFIG in the environment, names it")
            .caused_by(err)
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        let mut file = Self {
            path: path.to_owned(),
            settings: Vec::new(),
        };
        let table = DeTable::parse(text).map_err(|err| {
            let line = err.span().map_or(1, |span| line_at(text, span.start));
            file.wrong(line, err.message())
        })?;
        file.add(text, &mut Vec::new(), table.get_ref())?;
        file.settings.sort_by_key(|setting| setting.line);
        Ok(file)
    }

    /// Adds the settings of a table and of the tables in it.
    fn add(&mut self, text: &str, section: &mut Vec<String>, table: &DeTable<'_>) -> Result<()> {
        for (key, value) in table {
            let line = line_at(text, key.span().start);
            let key = key.get_ref().to_string();
            if let DeValue::Table(table) = value.get_ref() {
                section.push(key);
                self.add(text, section, table)?;
                section.pop();
                continue;
            }
            let Some(value) = value_as_text(value) else {
                let what = format!("{key} takes one value: a text, a number, true or false");
                return Err(self.wrong(line, &what));
            };
            self.settings.push(Setting {
                section: section.clone(),
                key,
                value,
                line,
            });
        }
        Ok(())
    }

    /// Checks that every key is an option, and that the option accepts the value.
    pub(super) fn check(&self, command: &Command) -> Result<()> {
        for setting in &self.settings {
            let of_section = self.find_section(command, setting)?;
            let Some(owner) = owner_of(of_section, &setting.key) else {
                return Err(self.unknown_key(of_section, setting));
            };
            self.check_value(owner, setting)?;
            self.check_conflicts(owner, setting)?;
        }
        Ok(())
    }

    /// Checks that mappings and directories exist. Not at a start, where a flag may name another
    /// one.
    pub(super) fn check_places(&self) -> Result<()> {
        for setting in &self.settings {
            let checked = match &*setting.key {
                "map" => Mapping::named(&setting.value).map(drop),
                "input" => check_directory(Path::new(&setting.value)),
                _ => Ok(()),
            };
            checked.map_err(|err| self.wrong(setting.line, &setting.key).caused_by(err))?;
        }
        Ok(())
    }

    /// Refuses two options in one file that exclude each other. A flag may override one of them.
    fn check_conflicts(&self, owner: &Command, setting: &Setting) -> Result<()> {
        let arg = owner.get_arguments().find(|arg| arg.get_id() == &setting.key);
        let conflicts = arg.map(|arg| owner.get_arg_conflicts_with(arg)).unwrap_or_default();
        let other = self.settings.iter().find(|other| {
            other.line != setting.line
                && conflicts.iter().any(|conflict| conflict.get_id() == &other.key)
                && other.value != "false"
        });
        match other {
            Some(other) if setting.value != "false" => {
                let what = format!(
                    "{} and {} (line {}) exclude each other",
                    setting.key, other.key, other.line
                );
                Err(self.wrong(setting.line, &what).hint("remove one of them"))
            }
            _ => Ok(()),
        }
    }

    /// Warns if other users may read a password in the file.
    pub(super) fn warn_of_readers(&self) {
        use std::os::unix::fs::PermissionsExt;
        // What is not shown is a password, or may be one.
        let has_password =
            |setting: &Setting| setting.key == DATABASE_URL && without_password(&setting.value).contains("***");
        let Some(setting) = self.settings.iter().find(|setting| has_password(setting)) else {
            return;
        };
        if std::fs::metadata(&self.path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
            let path = self.path.display();
            tracing::warn!(
                "{path}, line {}: it has a password, and other users of this machine may read the file (chmod 600 {path}, or \
                 keep the password in ~/.pgpass)",
                setting.line
            );
        }
    }

    /// The command of a section.
    fn find_section<'a>(&self, command: &'a Command, setting: &Setting) -> Result<&'a Command> {
        setting.section.iter().try_fold(command, |at, name| {
            at.find_subcommand(name).ok_or_else(|| {
                let commands = at.get_subcommands().map(|command| command.get_name());
                let hint = hint_for(name, commands, "a section has the name of a command, such as [run]");
                let what = format!("[{}] is not a command", setting.section.join("."));
                self.wrong(setting.line, &what).hint(hint)
            })
        })
    }

    /// The error for a key that is not an option, with the nearest one.
    fn unknown_key(&self, of_section: &Command, setting: &Setting) -> Error {
        let mut keys = Vec::new();
        collect_keys(of_section, &mut keys);
        let hint = hint_for(
            &setting.key,
            keys.iter().map(String::as_str),
            "ecom-ingest config print lists all keys",
        );
        let of = match setting.section.is_empty() {
            true => "of any command".to_owned(),
            false => format!("of {}", setting.section.join(" ")),
        };
        let what = format!("{} is not an option {of}", setting.key);
        self.wrong(setting.line, &what).hint(hint)
    }

    /// Checks a value with the parser of the command line.
    fn check_value(&self, owner: &Command, setting: &Setting) -> Result<()> {
        let flag = format!("--{}={}", setting.key.replace('_', "-"), setting.value);
        let without_required = without_required(owner.clone())
            .subcommand_required(false)
            .no_binary_name(true);
        let Err(err) = without_required.try_get_matches_from([flag]) else {
            return self.check_database(setting);
        };
        let mut what = format!("{} cannot be {:?}", setting.key, setting.value);
        if let Some(cause) = std::error::Error::source(&err) {
            what.push_str(&format!(": {cause}"));
        }
        let err_at = self.wrong(setting.line, &what);
        Err(match (err.kind(), err.get(ContextKind::ValidValue)) {
            (Wrong::InvalidValue, Some(valid)) => err_at.hint(format!("it takes one of: {valid}")),
            _ => err_at,
        })
    }

    fn check_database(&self, setting: &Setting) -> Result<()> {
        if setting.key == DATABASE_URL
            && let Err(err) = PgSink::from_url(&setting.value)
        {
            return Err(self.wrong(setting.line, DATABASE_URL).caused_by(err));
        }
        Ok(())
    }

    /// An error about a line of the file.
    pub(super) fn wrong(&self, line: usize, what: &str) -> Error {
        let message = format!("{}, line {line}: {what}", self.path.display());
        Error::new(ErrorKind::Configuration, message)
    }
}

fn check_directory(path: &Path) -> Result<()> {
    let error = |what: &str| Error::new(ErrorKind::Configuration, format!("{} {what}", path.display()));
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(error("is not a directory")),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Err(error("does not exist").hint("create it with mkdir")),
        Err(err) => Err(error("cannot be read").caused_by(err)),
    }
}

/// A value of TOML as it would be given on the command line; `None` for lists and tables.
fn value_as_text(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(is) => Some(is.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// The number of the line that has this byte.
fn line_at(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|&byte| byte == b'\n').count() + 1
}

/// The command, or the first one below it, that has such an option.
fn owner_of<'a>(command: &'a Command, key: &str) -> Option<&'a Command> {
    match command
        .get_arguments()
        .any(|arg| is_setting(arg) && arg.get_id() == key)
    {
        true => Some(command),
        false => command.get_subcommands().find_map(|below| owner_of(below, key)),
    }
}

/// All options that may be in the file.
fn collect_keys(command: &Command, keys: &mut Vec<String>) {
    let of_command = command.get_arguments().filter(|arg| is_setting(arg));
    keys.extend(of_command.map(|arg| arg.get_id().to_string()));
    for below in command.get_subcommands() {
        collect_keys(below, keys);
    }
}

/// A hint with the nearest known word, or another hint.
fn hint_for<'a>(word: &str, known: impl Iterator<Item = &'a str>, otherwise: &str) -> String {
    match nearest(&word.replace('-', "_"), &known.collect::<Vec<_>>()) {
        Some(known) => format!("did you mean {known}?"),
        None => otherwise.to_owned(),
    }
}
