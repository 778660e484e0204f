//! What is written to standard output.

use std::io::{self, Write};

use ecom_stream::{Error, ErrorKind, Result};

pub(crate) fn line(line: &str) -> Result<()> {
    text(&format!("{line}\n"))
}

/// A reader that has seen enough, such as `head`, is no error.
pub(crate) fn text(text: &str) -> Result<()> {
    show(text).map(|_| ())
}

/// Says whether anybody reads on.
pub(crate) fn show(text: &str) -> Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(err) => Err(Error::new(ErrorKind::Configuration, "can't write to standard output").caused_by(err)),
    }
}
