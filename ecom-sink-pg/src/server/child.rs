//! A child process that can tell when its owner is gone.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(20);

/// A child whose standard input is a pipe that only its owner holds open.
///
/// The kernel closes the pipe however the owner ends, `kill -9` included. The
/// standard library opens it close-on-exec, so that no other child of the
/// owner holds it. The process is not one of tokio's, because those belong to
/// one runtime, and each test has its own.
#[derive(Debug)]
pub(super) struct OwnedChild(Option<Child>);

impl OwnedChild {
    /// Starts `command` in its own process group, where Ctrl-C on the owner's
    /// terminal does not reach it, and in `/`, which any user can enter.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).process_group(0).current_dir("/");
        Ok(Self(Some(command.spawn()?)))
    }

    /// A copy of the owner's end of the pipe: the child has not lost its owner
    /// before that is closed too.
    pub(super) fn share_pipe(&self) -> io::Result<OwnedFd> {
        let pipe = self.0.as_ref().and_then(|child| child.stdin.as_ref());
        pipe.ok_or(io::ErrorKind::BrokenPipe)?.as_fd().try_clone_to_owned()
    }

    /// Writes a line into the pipe.
    pub(super) fn tell(&mut self, line: &str) -> io::Result<()> {
        let pipe = self.0.as_mut().and_then(|child| child.stdin.as_mut());
        writeln!(pipe.ok_or(io::ErrorKind::BrokenPipe)?, "{line}")
    }

    /// How the child ended; `None` while it runs.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0
            .as_mut()
            .ok_or(io::ErrorKind::NotFound)
            .map_err(io::Error::from)
            .and_then(Child::try_wait)
    }

    /// Waits for the child's end; `None` when it still runs after `bound`.
    pub(super) async fn wait(&mut self, bound: Duration) -> io::Result<Option<ExitStatus>> {
        let give_up = Instant::now() + bound;
        loop {
            let ended = self.ended()?;
            if ended.is_some() || Instant::now() >= give_up {
                return Ok(ended);
            }
            sleep(POLL).await;
        }
    }
}

impl Drop for OwnedChild {
    /// Closes the pipe, and has the child waited for, so that a long-lived
    /// owner gathers no zombies.
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else {
            return;
        };
        drop(child.stdin.take());
        if let Ok(None) = child.try_wait() {
            // Without a thread all that is lost is the waiting.
            let waiting = thread::Builder::new().name("server-end".into());
            drop(waiting.spawn(move || child.wait()));
        }
    }
}
