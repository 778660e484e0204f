//! The user that PostgreSQL runs as, since it refuses to run as root.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{Problem, ServerError};

/// Whom the server's processes run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// The user of this process.
    Same,
    /// Another one, since this process is root.
    Other { uid: u32, gid: u32 },
}

impl User {
    /// Whoever can run a server on `data`, which need not be there yet.
    pub(super) fn for_data(data: &Path) -> Result<Self, ServerError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Same);
        }
        if let Ok(found) = fs::metadata(data)
            && found.uid() != 0
        {
            return Ok(Self::Other {
                uid: found.uid(),
                gid: found.gid(),
            });
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        in_passwd(&accounts, "postgres")
            .or_else(|| in_passwd(&accounts, "nobody"))
            .ok_or_else(|| Problem::NoAccount.into())
    }

    /// Lets `command` run as this user, without the groups of root.
    pub(super) fn apply(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            // The standard library also drops the supplementary groups.
            command.uid(uid).gid(gid);
        }
    }

    /// Makes this user the owner of `path`.
    pub(super) fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Same => Ok(()),
            Self::Other { uid, gid } => std::os::unix::fs::lchown(path, Some(uid), Some(gid)),
        }
    }

    /// Whether this user can enter the directory `path`, or will once it is created below one that
    /// exists.
    #[cfg(feature = "download")]
    pub(super) fn reaches_future(self, path: &Path) -> bool {
        path.ancestors()
            .find(|dir| dir.exists())
            .is_some_and(|dir| self.reaches(dir))
    }

    /// Whether this user can enter the directory `path`.
    pub(super) fn reaches(self, path: &Path) -> bool {
        if self == Self::Same {
            return path.is_dir();
        }
        // Asking the system is exact where mode bits are not (ACLs, mounts).
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "cd \"$1\"", "sh"])
            .arg(path)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.apply(&mut command);
        command.status().is_ok_and(|status| status.success())
    }
}

fn in_passwd(accounts: &str, name: &str) -> Option<User> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let (uid, gid) = (id(fields.nth(1)?)?, id(fields.next()?)?);
        (uid != 0).then_some(User::Other { uid, gid })
    })
}

/// macOS writes the ids of `nobody` as -2.
fn id(field: &str) -> Option<u32> {
    field
        .parse()
        .ok()
        .or_else(|| field.parse::<i32>().ok().map(i32::cast_unsigned))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        postgresql:x:7:7::/:/bin/sh\n\
        postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n\
        nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\n\
        toor:x:0:0::/root:/bin/sh\n\
        short:x\n";

    #[test]
    fn accounts_are_read_from_passwd() {
        let postgres = User::Other { uid: 101, gid: 104 };
        assert_eq!(in_passwd(PASSWD, "postgres"), Some(postgres));
        let nobody = User::Other {
            uid: 4_294_967_294,
            gid: 4_294_967_294,
        };
        assert_eq!(in_passwd(PASSWD, "nobody"), Some(nobody));
        for absent in ["post", "toor", "short", "daemon"] {
            assert_eq!(in_passwd(PASSWD, absent), None, "{absent}");
        }
    }

    #[test]
    fn the_owner_of_existing_data_is_chosen() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let data = tempfile::tempdir().unwrap();
        let owner = User::Other { uid: 4321, gid: 1234 };
        owner.own(data.path()).unwrap();
        assert_eq!(User::for_data(data.path()).unwrap(), owner);
        let missing = User::for_data(&data.path().join("missing")).unwrap();
        assert!(matches!(missing, User::Other { uid, .. } if uid != 4321 && uid != 0));
    }

    #[test]
    fn a_directory_of_root_alone_is_out_of_reach() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let private = tempfile::tempdir().unwrap();
        fs::set_permissions(private.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let user = User::Other { uid: 4321, gid: 1234 };
        assert!(!user.reaches(private.path()));
        assert!(user.reaches(Path::new("/")));
        assert!(User::Same.reaches(private.path()));
    }
}
