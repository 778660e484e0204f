//! The command `check`: shows what of files would be stored and what rejected.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ecom_ingest::format::{on_one_line, shell_quoted};
use ecom_ingest::output;
use ecom_stream::check::{CheckedFile, Example, check_file};
use ecom_stream::{Event, Mapping, Reason, Result};
use time::format_description::well_known::Rfc3339;

use super::help::AFTER_HELP;
use super::names::Names;
use super::nulls::Nulls;

/// The exit code when some records would be rejected.
const REFUSED: u8 = 7;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Check {
    /// The files to check, compressed or not; no directories
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The mapping for files with other columns: a file in TOML, or the name of a ready one, such as ga4 or rees46
    #[arg(long, value_name = "FILE")]
    map: Option<String>,

    #[command(flatten)]
    nulls: Nulls,

    #[command(flatten)]
    names: Names,

    /// How many events to show of each file, and how many records for each reason of rejection
    #[arg(long, value_name = "N", default_value = "3")]
    examples: usize,
}

impl Check {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let mapping = self.map.as_deref().map(Mapping::named).transpose()?;
        let mut code = ExitCode::SUCCESS;
        for note in mapping.iter().flat_map(Mapping::notes) {
            output::text(&format!("{note}\n"))?;
        }
        for file in &self.files {
            let mut checked = check_file(file, mapping.as_ref(), self.nulls.rules(), self.examples).await?;
            let name = file.file_name().unwrap_or_default();
            checked.is_read_by_name = self.names.patterns().reads(name);
            if !checked.is_clean() {
                code = ExitCode::from(REFUSED);
            }
            output::text(&in_words(&file.display().to_string(), &checked, mapping.as_ref()))?;
        }
        Ok(code)
    }
}

/// The report about one file.
fn in_words(file: &str, checked: &CheckedFile, mapping: Option<&Mapping>) -> String {
    let (file, quoted) = (on_one_line(file), shell_quoted(file));
    let (stored, refused) = (checked.accepted, checked.rejected_count());
    // Writing to a string does not fail.
    let mut text = match checked.unread_lines {
        0 => match checked.filtered_count() {
            0 => format!("{file}: {stored} to be stored, {refused} rejected\n"),
            filtered => format!("{file}: {stored} to be stored, {refused} rejected, {filtered} filtered\n"),
        },
        1 => format!("{file}: nothing to be stored, 1 line not read\n"),
        lines => format!("{file}: nothing to be stored, {lines} lines not read\n"),
    };
    if let Some(refusal) = &checked.unusable {
        let part = match stored + refused + checked.filtered_count() {
            0 => "nothing in it can be used",
            _ => "the rest of it cannot be used",
        };
        let _ = writeln!(text, "  {part}: {}", on_one_line(&refusal.to_string()));
        let is_of_layout = [Reason::COLUMN_MISSING, Reason::WRONG_DELIMITER].contains(&refusal.reason);
        let _ = match checked.ready_mapping {
            Some(name) => writeln!(text, "  it has the columns of a built-in mapping: use --map {name}"),
            None if mapping.is_none() && is_of_layout => writeln!(
                text,
                "  ecom-ingest infer {quoted} proposes a mapping for it, to be used with --map"
            ),
            None => Ok(()),
        };
    }
    if mapping.is_none() && stored == 0 && refused > 0 && checked.unusable.is_none() {
        let _ = writeln!(
            text,
            "  if such files have another layout: ecom-ingest infer {quoted} proposes a mapping, to be used with --map"
        );
    }
    if !checked.is_read_by_name {
        let _ = writeln!(
            text,
            "  a run skips it: its name begins with a dot, or does not end in .csv or .tsv; --names '*.txt' reads other names too"
        );
    }
    for (reason, found) in &checked.rejected {
        let _ = writeln!(text, "  rejected: {} for {reason}", found.count);
        write_examples(&mut text, &file, &found.examples);
    }
    for (rule, found) in &checked.filtered {
        let _ = writeln!(text, "  filtered: {} by {}", found.count, on_one_line(rule));
        write_examples(&mut text, &file, &found.examples);
    }
    for ((field, word), count) in &checked.null_words {
        let option = match mapping {
            Some(_) => format!("nulls = [{word:?}] in the mapping"),
            None => format!("--nulls {}", shell_quoted(word)),
        };
        let word = on_one_line(&format!("{word:?}"));
        let _ = writeln!(
            text,
            "  looks like no value: {field} is {word} in {count}; {option} makes it none"
        );
    }
    for doubt in &checked.doubts {
        let _ = writeln!(text, "  doubtful: {}: {}", doubt.field, on_one_line(&doubt.text));
    }
    if !checked.ignored_columns.is_empty() {
        let _ = writeln!(
            text,
            "  columns that are not stored: {}",
            on_one_line(&checked.ignored_columns.join(", "))
        );
    }
    for event in &checked.events {
        let _ = writeln!(text, "  stored: {file}:{}", event.line);
        // The id of a record that has none is made of the pipeline's name too.
        let has_id = mapping.is_none_or(Mapping::has_stable_ids);
        for (name, value) in fields(&event.value, has_id) {
            let _ = writeln!(text, "    {name:<12} {}", on_one_line(&value));
        }
    }
    text
}

/// A line for each example of records that would not be stored: what was found, and the record.
fn write_examples(text: &mut String, file: &str, examples: &[Example<(String, String)>]) {
    for Example {
        line,
        value: (detail, raw),
        ..
    } in examples
    {
        let _ = writeln!(
            text,
            "    {file}:{line}: {}, in {}",
            on_one_line(detail),
            shortened(raw)
        );
    }
}

/// The fields of an event that have values.
fn fields(event: &Event, has_id: bool) -> impl Iterator<Item = (&'static str, String)> {
    let time = event
        .event_time
        .format(&Rfc3339)
        .unwrap_or_else(|_| event.event_time.to_string());
    [
        ("event_id", has_id.then(|| event.event_id.to_string())),
        ("event_time", Some(time)),
        ("event_type", Some(event.event_type.to_string())),
        ("user_id", Some(event.user_id.clone())),
        ("session_id", Some(event.session_id.clone())),
        ("product_id", Some(event.product_id.clone()).filter(|id| !id.is_empty())),
        ("product_name", event.product_name.clone()),
        ("category", event.category.clone()),
        ("brand", event.brand.clone()),
        ("price", event.price.map(|price| price.to_string())),
        ("quantity", Some(event.quantity.to_string())),
        ("line_total", event.line_total.map(|total| total.to_string())),
        ("order_id", event.order_id.clone()),
        ("currency", event.currency.map(|currency| currency.to_string())),
        ("extra", event.extra.as_deref().map(str::to_owned)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
}

/// The record as it is in the file, shortened; only characters that would break the line or the
/// terminal are escaped.
fn shortened(raw: &str) -> String {
    const MAX_SHOWN_CHARS: usize = 400;
    let mut shown = on_one_line(&raw.chars().take(MAX_SHOWN_CHARS).collect::<String>());
    if raw.chars().nth(MAX_SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
