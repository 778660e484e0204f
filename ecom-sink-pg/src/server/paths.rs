//! The directories of a server: its data, its log and its socket.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;

use tracing::warn;

use super::cluster;
use super::connection::PORT;
use super::error::{Problem, ServerError};
use super::user::User;

/// The shorter of the limits of Linux (107) and macOS (103), in bytes.
const SOCKET_PATH_MAX: usize = 103;

/// The directories of one server, and the user that it runs as.
///
/// A directory that is to be removed later is only named at first, so that the process that
/// removes it can be started before the directory is created.
#[derive(Debug)]
pub(super) struct ServerPaths {
    pub(super) user: User,
    pub(super) data: PathBuf,
    pub(super) log: PathBuf,
    pub(super) socket: PathBuf,
    /// The major version of the cluster in `data`, or where to make one.
    pub(super) cluster: ClusterState,
    /// Directories to be removed after the server, outer ones first.
    pub(super) scratch: Vec<PathBuf>,
}

/// What is in a data directory.
#[derive(Debug)]
pub(super) enum ClusterState {
    /// A whole cluster of this major version.
    Whole(String),
    /// None yet: make it in this directory beside it.
    Missing(PathBuf),
}

impl ServerPaths {
    /// A new directory that is removed afterwards.
    pub(super) fn temporary() -> Result<Self, ServerError> {
        let user = User::for_data(Path::new(""))?;
        let home = scratch(user, |_| true)?;
        let mut place = Self::in_home(&home, user)?;
        place.scratch.insert(0, home);
        Ok(place)
    }

    /// `wanted`, or a stable stand-in where the server's user cannot go there.
    pub(super) fn persistent(wanted: &Path) -> Result<Self, ServerError> {
        let wanted = std::path::absolute(wanted).map_err(ServerError::directory(wanted))?;
        let user = User::for_data(&data_in(&wanted))?;
        if made_reachable(&wanted, user).map_err(ServerError::directory(&wanted))? {
            return Self::in_home(&wanted, user);
        }
        let name = format!("private-server-{:016x}", hash(&wanted));
        for base in [Path::new("/var/tmp"), &env::temp_dir(), Path::new("/tmp")] {
            let home = base.join(&name);
            let user = User::for_data(&data_in(&home))?;
            if user.reaches(base) {
                make_own(&home).map_err(ServerError::directory(&home))?;
                warn!(
                    wanted = %wanted.display(), home = %home.display(),
                    "the server's user cannot enter the directory, so its data are elsewhere"
                );
                return Self::in_home(&home, user);
            }
        }
        Err(Problem::Unreachable.into())
    }

    fn in_home(home: &Path, user: User) -> Result<Self, ServerError> {
        let data = data_in(home);
        let mut scratch_dirs = Vec::new();
        let cluster = match cluster::made_by(&data)? {
            Some(major) => ClusterState::Whole(major),
            None => {
                let fresh = home.join(format!("data.new-{:016x}", random()));
                scratch_dirs.push(fresh.clone());
                ClusterState::Missing(fresh)
            }
        };
        let mut socket = home.join("socket");
        if !fits(&socket) {
            socket = scratch(user, fits)?;
            scratch_dirs.push(socket.clone());
        }
        Ok(Self {
            user,
            data,
            log: home.join("server.log"),
            socket,
            cluster,
            scratch: scratch_dirs,
        })
    }

    /// Makes the directories that are only named so far.
    pub(super) fn make(&self) -> Result<(), ServerError> {
        for dir in &self.scratch {
            let made = DirBuilder::new().mode(0o700).create(dir);
            made.and_then(|()| self.user.own(dir))
                .map_err(ServerError::directory(dir))?;
        }
        make_private(&self.socket, self.user).map_err(ServerError::directory(&self.socket))
    }
}

/// The data directory in a home directory.
fn data_in(home: &Path) -> PathBuf {
    home.join("data")
}

/// Whether the server's and libpq's settings can name the socket in `dir`.
fn fits(dir: &Path) -> bool {
    let path = dir.join(format!(".s.PGSQL.{PORT}"));
    let bytes = path.as_os_str().as_bytes();
    // A comma separates directories in both.
    let plain = |byte: &u8| *byte != b',' && !byte.is_ascii_control();
    bytes.len() <= SOCKET_PATH_MAX && bytes.iter().all(plain)
}

/// Makes `home`, unless `user` cannot get there.
fn made_reachable(home: &Path, user: User) -> io::Result<bool> {
    // Asked first, so that nothing is left behind in vain.
    if let Some(there) = home.ancestors().find(|dir| dir.is_dir())
        && !user.reaches(there)
    {
        return Ok(false);
    }
    fs::create_dir_all(home)?;
    Ok(user.reaches(home))
}

/// A new name in the temporary directory, or wherever else `user` can go.
fn scratch(user: User, suits: impl Fn(&Path) -> bool) -> Result<PathBuf, ServerError> {
    [&env::temp_dir(), Path::new("/tmp"), Path::new("/var/tmp")]
        .into_iter()
        .filter(|base| user.reaches(base))
        .filter_map(|base| std::path::absolute(base).ok())
        .map(|base| base.join(format!("pg-{:016x}", random())))
        .find(|dir| suits(dir))
        .ok_or_else(|| Problem::Unreachable.into())
}

/// The keys of a hash map are random, and all that is needed here.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(process::id())
}

/// Creates a directory that only the user can enter.
fn make_private(dir: &Path, user: User) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => user.own(dir)?,
    }
    if fs::symlink_metadata(dir)?.is_dir() {
        fs::set_permissions(dir, Permissions::from_mode(0o700))
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

/// Makes `dir`, whose name others can guess, in a directory that all may
/// write to: so one that is there already must be ours.
pub(super) fn make_own(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().create(dir) {
        Ok(()) => fs::set_permissions(dir, Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(dir)?;
            let ours = found.uid() == rustix::process::geteuid().as_raw();
            if found.is_dir() && ours && found.mode() & 0o022 == 0 {
                Ok(())
            } else {
                Err(io::ErrorKind::PermissionDenied.into())
            }
        }
        Err(error) => Err(error),
    }
}

/// FNV-1a: unlike the hash of the standard library it stays the same.
fn hash(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_bytes();
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_socket_path_must_be_short_and_plain() {
        let longest = "x".repeat(SOCKET_PATH_MAX - "/.s.PGSQL.5432".len() - 1);
        assert!(fits(Path::new(&format!("/{longest}"))));
        assert!(!fits(Path::new(&format!("/{longest}x"))));
        assert!(fits(Path::new("/with space and 'quote'")));
        assert!(!fits(Path::new("/one,two")));
    }

    #[test]
    fn directories_to_remove_are_named_before_they_are_created() {
        let place = ServerPaths::temporary().unwrap();
        let home = place.scratch[0].clone();
        assert!(!home.exists());
        place.make().unwrap();
        for dir in [&home, &place.socket] {
            let mode = fs::metadata(dir).unwrap().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", dir.display());
        }
        assert!(place.scratch.iter().all(|dir| dir.is_dir()));
        assert!(place.make().is_err(), "not ours to remove a second time");
        assert_ne!(ServerPaths::temporary().unwrap().scratch[0], home);
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn the_replacement_directory_of_a_path_is_stable() {
        assert_eq!(hash(Path::new("")), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(Path::new("a")), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(Path::new("foobar")), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_guessable_directory_of_another_user_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("guessed");
        make_own(&dir).unwrap();
        make_own(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
        assert!(make_own(&dir).is_err());
        let link = parent.path().join("link");
        symlink(parent.path(), &link).unwrap();
        assert!(make_own(&link).is_err());
    }

    #[test]
    fn nothing_is_made_where_the_user_cannot_go() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), Permissions::from_mode(0o700)).unwrap();
        let home = parent.path().join("a/b");
        let user = User::Other { uid: 4321, gid: 1234 };
        assert!(!made_reachable(&home, user).unwrap());
        assert!(!parent.path().join("a").exists());
        assert!(made_reachable(&home, User::Same).unwrap());
        assert!(home.is_dir());
    }
}
