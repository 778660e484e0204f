//! Finds out what tells a directory from others.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::mounts::{Mounts, escaped};
use crate::contract::{DirectoryIdentity, DirectoryPart, Inode};

/// What tells the directory at `path` from others. It need not exist yet.
pub(super) fn directory_identity(path: &Path, is_recursive: bool) -> DirectoryIdentity {
    let path = without_links(path);
    let mounts = Mounts::read();
    let mut parts = vec![path.as_path()];
    if is_recursive {
        parts.extend(mounts.inside(&path));
    }
    let is_local = parts.iter().all(|path| is_on_local_disk(existing(path)));
    DirectoryIdentity {
        path: escaped(&path),
        is_recursive,
        boot: first_line("/proc/sys/kernel/random/boot_id"),
        machine: is_local.then(machine).flatten(),
        parts: parts.into_iter().map(|path| part(path, &mounts)).collect(),
    }
}

/// The absolute path without symbolic links, also of a directory that does not exist yet.
pub(super) fn without_links(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = existing(&absolute);
    let missing = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
    let there = existing.canonicalize().unwrap_or_else(|_| existing.to_owned());
    match missing.as_os_str().is_empty() {
        true => there,
        false => there.join(missing),
    }
}

/// The nearest directory to `path`, at it or above it, that exists.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(path)
}

fn part(path: &Path, mounts: &Mounts) -> DirectoryPart {
    DirectoryPart {
        inode: inode(path),
        above: path.ancestors().skip(1).filter_map(inode).collect(),
        place: mounts.place(path, existing(path)),
    }
}

fn inode(path: &Path) -> Option<Inode> {
    let metadata = path.metadata().ok()?;
    let born = metadata.created().ok();
    let born = born.and_then(|born| born.duration_since(SystemTime::UNIX_EPOCH).ok());
    Some(Inode {
        device: metadata.dev(),
        number: metadata.ino(),
        born: born.and_then(|born| born.as_nanos().try_into().ok()),
    })
}

/// This machine. Its id is meant to be kept private: the digest tells it from others, and nothing more.
fn machine() -> Option<String> {
    let id = first_line("/etc/machine-id").or_else(|| first_line("/var/lib/dbus/machine-id"))?;
    let is_set = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_set
        .then(|| blake3::derive_key("ecom-stream directory identity", id.as_bytes()))
        .map(|key| blake3::Hash::from_bytes(key).to_hex()[..32].to_owned())
}

fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().next().map(str::to_owned).filter(|line| !line.is_empty())
}

/// Whether only this machine reaches the file system of `path`. `false` for those that are not known to be so.
#[cfg(target_os = "linux")]
fn is_on_local_disk(path: &Path) -> bool {
    /// The magic numbers of ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, ramfs, overlayfs, ZFS and bcachefs.
    const LOCAL: [u32; 9] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0xf2f5_2010,
        0x0102_1994,
        0x8584_58f6,
        0x794c_7630,
        0x2fc1_2fc1,
        0xca45_1a4e,
    ];
    rustix::fs::statfs(path).is_ok_and(|stat| LOCAL.contains(&(stat.f_type as u32)))
}

/// Whether only this machine reaches the file system of `path`. `false` for those that are not known to be so.
#[cfg(not(target_os = "linux"))]
fn is_on_local_disk(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_directory_is_known_under_each_of_its_names() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("data/sub")).unwrap();
        fs::create_dir(at("other")).unwrap();
        symlink(at("data"), at("link")).unwrap();
        let of = |name: &str, recursive| directory_identity(&at(name), recursive);
        let data = of("data", false);
        assert_eq!(of("link", false), data);
        assert_eq!(of("other/../data", false), data);
        assert!(of("link/sub", false).overlaps(&of("data", true)));
        assert!(!of("link/sub", true).overlaps(&data));
        assert!(!of("other", true).overlaps(&of("data", true)));
        // A directory to come, through a link to one that exists.
        let to_come = of("link/new/deep", false);
        assert!(to_come.parts[0].inode.is_none());
        assert!(to_come.overlaps(&of("data", true)) && !to_come.overlaps(&data));
        assert!(to_come.path().ends_with("/data/new/deep"), "{to_come:?}");

        fs::rename(at("data"), at("renamed")).unwrap();
        assert!(of("renamed", false).overlaps(&data));
        fs::create_dir(at("data")).unwrap();
        assert!(of("data", false).overlaps(&data));
        assert!(!of("data", false).overlaps(&of("renamed", false)));

        // Most file systems give a number to the next directory once it is free.
        let removed = of("renamed", true);
        fs::remove_dir_all(at("renamed")).unwrap();
        fs::create_dir(at("next")).unwrap();
        assert!(!of("next", true).overlaps(&removed));
    }
}
