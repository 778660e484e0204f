//! The options of a private server, and its first start.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::Mutex;

#[cfg(feature = "download")]
use super::binaries::listed;
use super::binaries::{Binaries, Search};
use super::cleaner::Cleaner;
#[cfg(feature = "download")]
use super::download::Source;
#[cfg(feature = "download")]
use super::error::ServerErrorKind;
use super::error::{Problem, ServerError};
use super::log::Log;
use super::paths::{ClusterState, ServerPaths};
use super::private_server::PrivateServer;
use super::shutdown::Shutdown;
use super::watchdog::SpawnContext;
use super::{cluster, connection};

/// The options of a [`PrivateServer`]; see [`PrivateServer::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing before start()"]
pub struct Builder {
    home: Option<PathBuf>,
    binaries: Option<PathBuf>,
    settings: Vec<(String, String)>,
    start_timeout: Duration,
    /// Programs to be fetched in place of installed ones, for tests.
    #[cfg(all(test, feature = "download"))]
    source: Option<Source>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            home: None,
            binaries: None,
            #[cfg(all(test, feature = "download"))]
            source: None,
            settings: Vec::new(),
            start_timeout: Duration::from_secs(60),
        }
    }

    /// Deletes the data when the server has ended. This is the default.
    pub fn temporary(mut self) -> Self {
        self.home = None;
        self
    }

    /// Keeps the data, in `<home>/data`, with the log in `<home>/server.log`.
    ///
    /// `home` is made where it is missing. Started by root, the server runs as
    /// another user; where that one cannot enter `home`, a directory below
    /// `/var/tmp` takes its place, always the same for the same `home`:
    /// [`PrivateServer::data_dir`] tells which.
    pub fn persistent(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// Uses `postgres` and `initdb` of this directory and no others.
    pub fn binaries(mut self, dir: impl Into<PathBuf>) -> Self {
        self.binaries = Some(dir.into());
        self
    }

    /// Sets a server setting, as `-c name=value`; the last value holds.
    ///
    /// `port`, `unix_socket_directories` and where the log goes cannot be set.
    /// With `listen_addresses` anyone who reaches the address may be any user,
    /// unless `hba_file` or `pg_hba.conf` in the data directory says otherwise.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// How long `initdb`, and then each start, may take; 60 s by default.
    pub fn start_timeout(mut self, bound: Duration) -> Self {
        self.start_timeout = bound;
        self
    }

    /// Creates the cluster if there is none, starts the server and waits
    /// until it answers a query.
    ///
    /// # Errors
    ///
    /// Any [`ServerErrorKind`](super::ServerErrorKind) but `NotRunning` and
    /// `Database`.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, what was started ends and what is temporary
    /// is removed.
    pub async fn start(self) -> Result<PrivateServer, ServerError> {
        let persistent = self.home.is_some();
        let (home, search) = (self.home.clone(), self.search());
        let found = tokio::task::spawn_blocking(move || found(home, &search));
        let (place, binaries) = match found.await {
            Ok(found) => found?,
            Err(ended) => return Err(Problem::Interrupted { source: ended }.into()),
        };
        let binaries = match binaries {
            Ok(binaries) => binaries,
            #[cfg(feature = "download")]
            Err(err) => self.fetch(&place, err).await?,
            #[cfg(not(feature = "download"))]
            Err(err) => return Err(err),
        };
        let context = SpawnContext {
            user: place.user,
            log: Log::new(place.log.clone()),
            cleaner: Cleaner::spawn(&place.scratch)?,
        };
        place.make()?;
        if let ClusterState::Missing(fresh) = &place.cluster {
            let within = self.start_timeout;
            cluster::create(fresh, &place.data, &binaries, &context, persistent, within).await?;
        }
        let at_end = if persistent {
            Shutdown::Fast
        } else {
            // Nobody will read the data, so a last checkpoint is of no use.
            Shutdown::Immediate
        };
        let settings = self.settings.iter();
        let settings = settings
            .flat_map(|(name, value)| [OsString::from("-c"), format!("{name}={value}").into()])
            .collect();
        let server = PrivateServer {
            running: Mutex::new(None),
            url: connection::url(&place.socket, connection::SUPERUSER),
            binaries,
            data: place.data,
            socket: place.socket,
            context,
            settings,
            at_end,
            start_timeout: self.start_timeout,
        };
        server.start().await?;
        Ok(server)
    }

    /// Where to look for programs.
    fn search(&self) -> Search {
        #[cfg(all(test, feature = "download"))]
        if self.source.is_some() {
            return Search::default();
        }
        Search::new(self.binaries.clone())
    }

    /// Where to fetch programs from.
    #[cfg(feature = "download")]
    fn source(&self, place: &ServerPaths) -> Source {
        #[cfg(test)]
        if let Some(source) = &self.source {
            return source.clone();
        }
        Source::published(place.user)
    }

    /// As on a machine without installed programs, with these to be fetched.
    #[cfg(all(test, feature = "download"))]
    pub(super) fn fetching_from(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// Fetches programs where none that fit are installed, which `err` says, unless a directory is
    /// named.
    #[cfg(feature = "download")]
    async fn fetch(&self, place: &ServerPaths, err: ServerError) -> Result<Binaries, ServerError> {
        if self.search().is_limited() {
            return Err(err);
        }
        let major = match &place.cluster {
            ClusterState::Whole(major) => Some(&**major),
            ClusterState::Missing(_) => None,
        };
        let source = self.source(place);
        let fetched = source.programs(major).await;
        fetched.map_err(|not_fetched| match (major, source.cache.find(None)) {
            // It names what is installed.
            _ if err.kind() == ServerErrorKind::VersionMismatch => err,
            (Some(major), Some(other)) => Problem::Version {
                data: place.data.clone(),
                wanted: major.to_owned(),
                found: listed(&[other]),
            }
            .into(),
            _ => not_fetched,
        })
    }
}

impl PrivateServer {
    /// A temporary server with the default settings, unless told otherwise.
    ///
    /// Its programs are those in the directory that the environment variable
    /// `ECOM_PG_BIN` names, or else the first found on `PATH`, by `pg_config` or in
    /// a usual directory; for existing data, the first of the right version.
    ///
    /// With the feature `download`, programs that are not installed are fetched
    /// once, about 15 MB, into the user's cache (for root, into `/var/cache`),
    /// and verified by their checksum. A line on standard error says so.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

/// The directories of the server, and its programs or why there are none.
type Found = (ServerPaths, Result<Binaries, ServerError>);

fn found(home: Option<PathBuf>, search: &Search) -> Result<Found, ServerError> {
    let place = match home {
        Some(home) => ServerPaths::persistent(&home)?,
        None => ServerPaths::temporary()?,
    };
    let binaries = search.find(match &place.cluster {
        ClusterState::Whole(major) => Some((&place.data, major)),
        ClusterState::Missing(_) => None,
    });
    Ok((place, binaries))
}
