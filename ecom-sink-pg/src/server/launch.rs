//! One start of the server's process.

use std::ffi::OsString;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, timeout};
use tracing::info;

use super::connection::{self, PORT};
use super::error::{Problem, ServerError, ServerErrorKind};
use super::private_server::PrivateServer;
use super::watchdog::Watchdog;

/// How long to wait for an earlier server on the same data to end.
const EARLIER_SERVER_TIMEOUT: Duration = Duration::from_secs(20);
const EARLIER_SERVER_POLL: Duration = Duration::from_secs(1);
const READY_POLL: Duration = Duration::from_millis(50);
/// How long one query may take while the server starts.
const ONE_ANSWER: Duration = Duration::from_secs(10);

impl PrivateServer {
    /// Starts a server process, as soon as an earlier one on the same data has
    /// ended.
    pub(super) async fn launch(&self) -> Result<Watchdog, ServerError> {
        let give_up = Instant::now() + EARLIER_SERVER_TIMEOUT;
        loop {
            match self.attempt().await {
                Err(error) if error.kind() == ServerErrorKind::InUse && Instant::now() < give_up => {
                    info!(%error, "waiting for it to end");
                    sleep(EARLIER_SERVER_POLL).await;
                }
                other => return other,
            }
        }
    }

    /// The process id in `postmaster.pid`.
    pub(super) async fn pid_in_file(&self) -> Option<u32> {
        let file = self.data.join("postmaster.pid");
        let text = tokio::fs::read_to_string(file).await.ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// Starts a server process and waits until that very one answers.
    async fn attempt(&self) -> Result<Watchdog, ServerError> {
        // While another server goes away, it may still answer at the socket.
        let mark = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let mark = format!("t{}", mark.unwrap_or_default().as_nanos());
        let sql = "SELECT current_setting('private_server.start', true)";

        let (log, start) = (&self.context.log, self.context.log.end());
        let postgres = self.postgres();
        let arguments = self.arguments(&mark);
        let mut running = Watchdog::spawn(&postgres, &arguments, self.at_end.into(), &self.context)?;
        let give_up = Instant::now() + self.start_timeout;
        loop {
            let ended = running.ended().map_err(ServerError::process(&postgres))?;
            if let Some(status) = ended {
                let tail = log.tail(start);
                let problem = self.refused(&tail).await.unwrap_or_else(|| Problem::Ended {
                    what: "the PostgreSQL server",
                    status,
                    log: log.path().to_owned(),
                    tail,
                });
                return Err(problem.into());
            }
            let answer = timeout(ONE_ANSWER, connection::value(&self.socket, sql)).await;
            if let Ok(Ok(Some(answer))) = answer
                && answer == mark
            {
                return Ok(running);
            }
            if Instant::now() >= give_up {
                return Err(Problem::NotReady {
                    what: "the PostgreSQL server",
                    within: self.start_timeout,
                    log: log.path().to_owned(),
                    tail: log.tail(start),
                }
                .into());
            }
            sleep(READY_POLL).await;
        }
    }

    /// The arguments of the server. Of a setting that is given twice the last value counts, so
    /// the last ones cannot be overridden.
    fn arguments(&self, mark: &str) -> Vec<OsString> {
        let mut socket = OsString::from("unix_socket_directories=");
        socket.push(&self.socket);
        // Of a setting that is given twice the last value holds.
        let mut arguments: Vec<OsString> = [
            "-D".into(),
            self.data.clone().into(),
            "-c".into(),
            "listen_addresses=".into(),
        ]
        .into();
        arguments.extend(self.settings.iter().cloned());
        for setting in [
            format!("port={PORT}").into(),
            socket,
            "logging_collector=off".into(),
            "log_destination=stderr".into(),
            format!("private_server.start={mark}").into(),
        ] {
            arguments.extend(["-c".into(), setting]);
        }
        arguments
    }

    /// What PostgreSQL's own check against two servers on the same data says.
    async fn refused(&self, log: &str) -> Option<Problem> {
        let data = self.data.clone();
        if log.contains("postmaster.pid\" already exists") {
            let pid = self.pid_in_file().await;
            return Some(match pid {
                Some(pid) => Problem::InUse { data, pid },
                None => Problem::StillEnding { data },
            });
        }
        log.contains("shared memory block")
            .then_some(Problem::StillEnding { data })
    }
}
