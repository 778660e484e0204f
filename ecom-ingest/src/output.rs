//! Writes to standard output.
//!
//! A reader that closes the pipe early, such as `head`, is not an error. A reader that stalls blocks whoever writes: use
//! [`BackgroundWriter`] wherever something else must go on, such as the handling of signals.

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;

use ecom_stream::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use crate::format::printable;

/// Writes a line.
///
/// # Errors
///
/// Those of [`text`].
pub fn line(line: &str) -> Result<()> {
    text(&format!("{line}\n"))
}

/// Writes a text, with its control characters [escaped](printable). A reader that has seen enough, such as `head`, is not an
/// error.
///
/// # Errors
///
/// [`ErrorKind::Sink`] when standard output cannot be written to, for example because it is a
/// file on a full disk.
pub fn text(text: &str) -> Result<()> {
    show(&printable(text)).map(|_| ())
}

/// Writes a text as it is, and returns whether anybody still reads.
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

/// A text to write, and where to send the result.
type Job = (String, oneshot::Sender<Result<bool>>);

/// Writes to standard output from a thread of its own, one text at a time.
///
/// If the reader stalls, only that thread waits. It does not keep the process from ending.
///
/// # Examples
///
/// ```
/// use ecom_ingest::output::BackgroundWriter;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> ecom_stream::Result<()> {
/// let writer = BackgroundWriter::start()?;
/// let is_read = writer.show("a line\n".to_owned()).await?;
/// assert!(is_read);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct BackgroundWriter {
    jobs: mpsc::Sender<Job>,
}

impl BackgroundWriter {
    /// Starts the thread. It ends after the writer is dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Sink`] when the system has no room for another thread.
    pub fn start() -> Result<Self> {
        Self::writing_with(show)
    }

    /// The same, with another function that writes.
    fn writing_with(write: impl Fn(&str) -> Result<bool> + Send + 'static) -> Result<Self> {
        let (jobs, received) = mpsc::channel::<Job>();
        let work = move || {
            for (text, done) in received {
                // Nobody waits for the result of a call that was dropped.
                let _ = done.send(write(&text));
            }
        };
        match thread::Builder::new().name("stdout".to_owned()).spawn(work) {
            Ok(_) => Ok(Self { jobs }),
            Err(err) => Err(Error::new(ErrorKind::Sink, "cannot start a thread for standard output").caused_by(err)),
        }
    }

    /// Writes a text as it is, waits until it is written, and returns whether anybody still reads.
    ///
    /// Wait for one text before you send the next one, so that at most one is held in memory.
    ///
    /// # Errors
    ///
    /// Those of [`text`].
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the text is still written once the reader goes on.
    pub async fn show(&self, text: String) -> Result<bool> {
        let ended = || Error::new(ErrorKind::Sink, "the thread that writes to standard output has ended");
        let (done, written) = oneshot::channel();
        self.jobs.send((text, done)).map_err(|_| ended())?;
        written.await.map_err(|_| ended())?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_reader_that_stalls_blocks_nobody_else() {
        let (go_on, gate) = mpsc::channel::<()>();
        let written = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&written);
        let writer = BackgroundWriter::writing_with(move |_| {
            let _ = gate.recv();
            count.fetch_add(1, Ordering::SeqCst);
            Ok(true)
        })
        .unwrap();
        {
            let mut stalled = std::pin::pin!(writer.show("one".to_owned()));
            // There is one thread here: it comes back while the other one is blocked.
            assert!(futures::poll!(&mut stalled).is_pending());
            tokio::task::yield_now().await;
            assert!(futures::poll!(&mut stalled).is_pending());
            assert_eq!(written.load(Ordering::SeqCst), 0);
            go_on.send(()).unwrap();
            assert!(stalled.await.unwrap());
        }
        assert_eq!(written.load(Ordering::SeqCst), 1);
    }
}
