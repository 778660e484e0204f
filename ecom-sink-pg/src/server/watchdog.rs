//! The watchdog: a process that ends the server when its owner ends.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::child::OwnedChild;
use super::cleaner::Cleaner;
use super::error::ServerError;
use super::log::Log;
use super::shutdown::Shutdown;
use super::user::User;

/// Runs the program "$2…" and sends it the signal $1 when the pipe closes, or
/// the one named by a line from the pipe.
///
/// It asks again every second: a shell starts a background program with INT
/// and QUIT ignored, so a signal before the server handles them is lost. The
/// two shells end with the program. Should the outer one be killed, the inner
/// one still ends the program with the owner. Descriptor 4 is the cleaner's
/// pipe: the program and all its children hold it.
const SCRIPT: &str = r#"
signal=$1
shift
exec 3<&0 4>&1 1>&2
"$@" </dev/null 3<&- &
program=$!
(
    read -r asked <&3 && signal=$asked
    seconds=0
    while kill -s "$signal" "$program"; do
        sleep 1
        seconds=$((seconds + 1))
        case $seconds in
            60) signal=QUIT ;;
            90) signal=KILL ;;
        esac
    done
) </dev/null 2>/dev/null &
wait "$program"
status=$?
trap '' TERM
kill 0
exit "$status"
"#;

/// Longer than the script waits before it sends SIGKILL.
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(120);

/// A program that runs for as long as this value, and no longer than its
/// owner.
#[derive(Debug)]
pub(super) struct Watchdog(OwnedChild);

/// What a program is started with: its user, its log, and the process that cleans up.
#[derive(Debug)]
pub(super) struct SpawnContext {
    pub(super) user: User,
    pub(super) log: Log,
    pub(super) cleaner: Cleaner,
}

impl Watchdog {
    /// Starts `program`; `at_end` is what it gets when its owner goes.
    pub(super) fn spawn(
        program: &Path,
        arguments: &[OsString],
        at_end: Signal,
        context: &SpawnContext,
    ) -> Result<Self, ServerError> {
        let log = context.log.open().map_err(ServerError::directory(context.log.path()))?;
        let start = || {
            let mut command = Command::new("/bin/sh");
            command
                .args(["-c", SCRIPT, "private-server", at_end.name()])
                .arg(program)
                .args(arguments)
                .stdout(context.cleaner.hold()?)
                .stderr(log);
            // PGPORT and the like would change the server; messages are read
            // for what they say, so they are in English.
            for (name, _) in env::vars_os() {
                if name.as_encoded_bytes().starts_with(b"PG") {
                    command.env_remove(name);
                }
            }
            command.env("LC_ALL", "C");
            context.user.apply(&mut command);
            OwnedChild::spawn(&mut command)
        };
        start().map(Self).map_err(ServerError::process(Path::new("/bin/sh")))
    }

    /// How the program ended; `None` while it runs.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.ended()
    }

    /// Waits for the program's end; `None` when it still runs after `bound`.
    pub(super) async fn wait(&mut self, bound: Duration) -> io::Result<Option<ExitStatus>> {
        self.0.wait(bound).await
    }

    /// Ends the program; `false` if it still runs after [`STOP_WITHIN`].
    pub(super) async fn stop(&mut self, signal: Signal) -> io::Result<bool> {
        // An error means that nobody reads: the program has ended by itself.
        let _ = self.0.tell(signal.name());
        Ok(self.0.wait(STOP_WITHIN).await?.is_some())
    }
}

/// What a watchdog sends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signal {
    Interrupt,
    Quit,
    Terminate,
    Kill,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "INT",
            Self::Quit => "QUIT",
            Self::Terminate => "TERM",
            Self::Kill => "KILL",
        }
    }
}

impl From<Shutdown> for Signal {
    fn from(how: Shutdown) -> Self {
        match how {
            Shutdown::Fast => Self::Interrupt,
            Shutdown::Immediate => Self::Quit,
            Shutdown::Kill => Self::Kill,
        }
    }
}
