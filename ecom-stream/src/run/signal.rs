//! Stopping by signal.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::contract::{Error, ErrorKind, Result};

/// Exit code of a process that a second signal ended before it had stopped.
pub const ABORTED: i32 = 130;

/// A future that completes at the first SIGINT or SIGTERM; a second one ends the process at once, with exit code
/// [`ABORTED`]. For [`Pipeline::run_until`](crate::Pipeline::run_until).
///
/// Takes over the handling of both signals from the moment it is called.
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
        signal(kind).map_err(|err| Error::new(ErrorKind::Configuration, "can't listen for signals").caused_by(err))
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
                Some(stop) => {
                    tracing::info!("stopping: what has been read is committed first; a second signal aborts");
                    // Nobody waits any more if the pipeline has ended by itself.
                    let _ = stop.send(());
                }
                None => std::process::exit(ABORTED),
            }
        }
    });
    Ok(async move {
        let _ = stopped.await;
    })
}
