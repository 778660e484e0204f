//! The process that removes directories nobody needs any more.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::child::OwnedChild;
use super::error::ServerError;

const SCRIPT: &str = r#"
while read -r _; do :; done
rm -rf -- "$@"
"#;

/// Removes directories once its owner and all that hold its pipe are gone.
#[derive(Debug)]
pub(super) struct Cleaner(OwnedChild);

impl Cleaner {
    /// To be called before the directories are made: however early the owner
    /// is killed, nothing remains.
    pub(super) fn spawn(scratch: &[PathBuf]) -> Result<Self, ServerError> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "private-server-cleaner"])
            .args(scratch)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        OwnedChild::spawn(&mut command)
            .map(Self)
            .map_err(ServerError::process(Path::new("/bin/sh")))
    }

    /// Keeps the directories for as long as it is open in any process.
    pub(super) fn hold(&self) -> io::Result<OwnedFd> {
        self.0.share_pipe()
    }
}
