//! The commands that print to stdout: `profile` and `parameters`.

#![allow(clippy::print_stdout)]

use std::io::{Write, stdout};

use ecom_gen::ModelParameters;
use ecom_gen::profile::{MeasureOptions, ReadOptions, read_dir};
use ecom_stream::{Error, ErrorKind, Result};

use crate::args::ProfileArgs;

pub(crate) fn print(args: &ProfileArgs) -> Result<()> {
    let measure = MeasureOptions::default().zone(args.zone.clone());
    let options = ReadOptions::default().measure(measure).skip_unusable_files(true);
    let profile = read_dir(&args.dir, options)?;
    if profile.flaws.unusable_files > 0 {
        tracing::warn!(
            files = profile.flaws.unusable_files,
            "files that cannot be used are skipped"
        );
    }
    match args.json {
        true => print_text(&profile.to_json()?),
        false => print_text(&profile.report().to_string()),
    }
}

pub(crate) fn print_parameters(wholesale: bool) -> Result<()> {
    let parameters = if wholesale {
        ModelParameters::wholesale()
    } else {
        ModelParameters::default()
    };
    let json = serde_json::to_string_pretty(&parameters);
    print_text(&json.map_err(|err| Error::new(ErrorKind::Sink, "cannot print the parameters").caused_by(err))?)
}

/// Prints the text. A reader that stops early, such as `head`, is not an error.
fn print_text(text: &str) -> Result<()> {
    match writeln!(stdout(), "{}", text.trim_end()) {
        Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Sink, "cannot print").caused_by(err))
        }
        _ => Ok(()),
    }
}
