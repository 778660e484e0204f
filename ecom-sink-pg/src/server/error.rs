//! What can go wrong with a private server, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// Why a [`PrivateServer`](super::PrivateServer) could not do what was asked.
///
/// The message says what to do next; a deeper cause, where there is one, is
/// its [`source`](std::error::Error::source).
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct ServerError(Box<Problem>);

/// The message with its causes: what a `main` prints that returns the error, and what `expect` panics with.
impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(err) = cause {
            write!(f, ": {err}")?;
            cause = err.source();
        }
        Ok(())
    }
}

/// The kind of a [`ServerError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerErrorKind {
    /// No installed PostgreSQL server was found.
    NotInstalled,
    /// The data directory belongs to a version that is not installed.
    VersionMismatch,
    /// A directory cannot be used: permissions, owner, or what is in it.
    Directory,
    /// Another live server uses the data directory.
    InUse,
    /// A process could not be started, or ended before it did its work.
    Failed,
    /// The server did not become ready, or did not end, within the bound.
    TimedOut,
    /// The server is stopped.
    NotRunning,
    /// The database could not be created.
    Database,
}

impl ServerError {
    /// The kind of this error.
    #[must_use]
    pub fn kind(&self) -> ServerErrorKind {
        match *self.0 {
            Problem::NotInstalled | Problem::NotBinaries { .. } => ServerErrorKind::NotInstalled,
            #[cfg(feature = "download")]
            Problem::NotFetched { .. } => ServerErrorKind::NotInstalled,
            Problem::Version { .. } => ServerErrorKind::VersionMismatch,
            Problem::Directory { .. }
            | Problem::Foreign { .. }
            | Problem::NotACluster { .. }
            | Problem::Unreachable => ServerErrorKind::Directory,
            Problem::InUse { .. } | Problem::StillEnding { .. } => ServerErrorKind::InUse,
            Problem::NoAccount | Problem::Process { .. } | Problem::Ended { .. } | Problem::Interrupted { .. } => {
                ServerErrorKind::Failed
            }
            Problem::NotReady { .. } | Problem::NotStopped { .. } => ServerErrorKind::TimedOut,
            Problem::NotRunning => ServerErrorKind::NotRunning,
            Problem::DatabaseName { .. } | Problem::Database { .. } => ServerErrorKind::Database,
        }
    }

    pub(super) fn directory(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Problem::Directory { path, source }.into()
    }

    pub(super) fn process(program: &Path) -> impl FnOnce(io::Error) -> Self {
        let program = program.to_owned();
        move |source| Problem::Process { program, source }.into()
    }
}

impl From<Problem> for ServerError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

/// What to do where there are no programs of a server.
const NOT_INSTALLED: &str = "no PostgreSQL server is installed here (looked in ECOM_PG_BIN, PATH, `pg_config --bindir` and \
     the usual directories).\n\
     Install one:\n  \
       Debian, Ubuntu:  apt-get install postgresql\n  \
       Fedora, RHEL:    dnf install postgresql-server\n  \
       macOS:           brew install postgresql@17\n\
     or run one in a container:\n  \
       docker run --rm -d -p 127.0.0.1:5432:5432 -e POSTGRES_PASSWORD=postgres postgres:17\n  \
       export DATABASE_URL=postgresql://postgres:postgres@localhost:5432/postgres\n\
     A server installed elsewhere is found with ECOM_PG_BIN=<the directory of `postgres` and \
     `initdb`>.";

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{NOT_INSTALLED}")]
    NotInstalled,

    /// The same to whoever has no network; the cause says why.
    #[cfg(feature = "download")]
    #[error("{NOT_INSTALLED}")]
    NotFetched {
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    #[error(
        "{} does not hold the PostgreSQL programs `postgres` and `initdb`: name their directory, \
         or name none (unset ECOM_PG_BIN) to have it found", .dir.display()
    )]
    NotBinaries { dir: PathBuf },

    #[error(
        "the data directory {} was made by PostgreSQL {wanted}, but only {found} was found: \
         install PostgreSQL {wanted} (Debian: apt-get install postgresql-{wanted}), name its \
         programs with ECOM_PG_BIN=<directory>, or remove {} to begin with an empty one",
        .data.display(), .data.display()
    )]
    Version {
        data: PathBuf,
        wanted: String,
        found: String,
    },

    #[error("cannot use {}: check that it can be made and written, or choose another place",
        .path.display())]
    Directory { path: PathBuf, source: io::Error },

    #[error(
        "{} belongs to another user (uid {owner}): run as that user or as root, or remove it",
        .path.display()
    )]
    Foreign { path: PathBuf, owner: u32 },

    #[error(
        "{} is not empty and holds no whole PostgreSQL cluster: remove it, or choose another \
         directory", .data.display()
    )]
    NotACluster { data: PathBuf },

    #[error(
        "found no directory for the server that its user can reach: make /tmp or TMPDIR usable by \
         all (mode 1777)"
    )]
    Unreachable,

    #[error(
        "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` in \
         /etc/passwd to run it as: make one, or run as another user"
    )]
    NoAccount,

    #[error("cannot run {}: check that it is there and may be executed", .program.display())]
    Process { program: PathBuf, source: io::Error },

    #[error("the search for a server was cut off: the tokio runtime is shutting down")]
    Interrupted { source: tokio::task::JoinError },

    #[error("{what} ended early ({status}); its log {} ends with:\n{tail}", .log.display())]
    Ended {
        what: &'static str,
        status: ExitStatus,
        log: PathBuf,
        tail: String,
    },

    #[error(
        "{what} was not ready within {} s: give it more time (start_timeout) or free the machine; \
         its log {} ends with:\n{tail}", .within.as_secs(), .log.display()
    )]
    NotReady {
        what: &'static str,
        within: Duration,
        log: PathBuf,
        tail: String,
    },

    #[error(
        "the data directory {} is in use by another PostgreSQL server, process {pid}: end the \
         program that started it, or use another directory (should process {pid} be no PostgreSQL \
         server, remove {}/postmaster.pid)", .data.display(), .data.display()
    )]
    InUse { data: PathBuf, pid: u32 },

    #[error(
        "processes of an earlier server still use the data directory {}: wait for their queries \
         to end, or end them", .data.display()
    )]
    StillEnding { data: PathBuf },

    #[error("the server did not stop within {} s: see its log {}", .within.as_secs(), .log.display())]
    NotStopped { within: Duration, log: PathBuf },

    #[error("the server is not running: call start() first")]
    NotRunning,

    #[error("{name:?} cannot name a database: use 1 to 63 bytes, none of them zero")]
    DatabaseName { name: String },

    #[error("cannot create the database {name:?}: choose a name that is not taken, see the cause")]
    Database {
        name: String,
        source: tokio_postgres::Error,
    },
}
