//! Writes to standard output.
//!
//! A reader that closes the pipe early, such as `head`, is not an error.

use std::io::{self, Write};

use ecom_stream::{Error, ErrorKind, Result};

/// Writes a line.
///
/// # Errors
///
/// Those of [`text`].
pub fn line(line: &str) -> Result<()> {
    text(&format!("{line}\n"))
}

/// Writes a text. A reader that has seen enough, such as `head`, is not an error.
///
/// # Errors
///
/// [`ErrorKind::Sink`] when standard output cannot be written to, for example because it is a
/// file on a full disk.
pub fn text(text: &str) -> Result<()> {
    show(text).map(|_| ())
}

/// Writes a text, and returns whether anybody still reads.
///
/// # Errors
///
/// Those of [`text`].
pub fn show(text: &str) -> Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(err) => Err(Error::new(ErrorKind::Sink, "cannot write to standard output").caused_by(err)),
    }
}
