//! Stopping a run by SIGINT or SIGTERM.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::contract::{Error, ErrorKind, Result};

/// The exit code of a process that a second signal ended before it had stopped.
pub const ABORTED: i32 = 130;

/// Returns a future that completes at the first SIGINT or SIGTERM, for [`Pipeline::run_until`](crate::Pipeline::run_until). A
/// second signal ends the process at once, with the exit code [`ABORTED`].
///
/// From the call on, these signals do not end the process in any other way, even if the future is dropped.
///
/// ```no_run
/// use ecom_stream::memory::MemorySink;
/// use ecom_stream::{CsvDirSource, SourceExt, stop_signal};
///
/// # #[tokio::main] async fn main() -> ecom_stream::Result<()> {
/// let stop = stop_signal()?;
/// CsvDirSource::new("data").to(MemorySink::new("doc")).run_until(stop).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Configuration`] when the system does not let the process handle signals.
///
/// # Panics
///
/// Outside of a tokio runtime with I/O enabled.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    let listen = |kind| {
        signal(kind)
            .map_err(|err| Error::new(ErrorKind::Configuration, "cannot handle SIGINT and SIGTERM").caused_by(err))
    };
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut stop = Some(stop);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match stop.take() {
                // This fails if the future was dropped, since the pipeline has ended by itself.
                Some(stop) => drop(stop.send(())),
                None => std::process::exit(ABORTED),
            }
        }
    });
    Ok(async move {
        let _ = stopped.await;
        // Not in the task above: a log that nobody reads may block, and the second signal must still be heard.
        tracing::info!("stopping after what was read is committed; a second signal aborts at once");
    })
}
