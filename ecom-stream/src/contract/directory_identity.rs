//! What tells whether two directories have files in common, whatever names they have.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// What tells a directory from others: its path, its inode and those of the directories above it, and its place in its file
/// system. A source of files [reports](crate::SourceInfo::directory) it, and a sink that several pipelines share stores it, as JSON.
///
/// Inodes and devices are numbers of one running system. They are compared only if both directories were seen by the same one,
/// which its boot id tells; containers on one machine share it. Paths are compared if both have the same root directory, or, for
/// different boots, unless both directories are on local disks of machines with different ids.
///
/// ```
/// use ecom_stream::{CsvDirSource, Source, Topology};
///
/// let dir = tempfile::tempdir()?;
/// let (data, link) = (dir.path().join("data"), dir.path().join("link"));
/// std::fs::create_dir_all(data.join("shop"))?;
/// std::os::unix::fs::symlink(data.join("shop"), &link)?;
/// let identity = |source: CsvDirSource| {
///     let mut topology = Topology::default();
///     source.describe(&mut topology);
///     topology.sources()[0].directory.clone().unwrap()
/// };
/// let shop = identity(CsvDirSource::new(link));
/// assert!(!identity(CsvDirSource::new(&data)).overlaps(&shop));
/// assert!(identity(CsvDirSource::new(&data).recursive(true)).overlaps(&shop));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryIdentity {
    /// The absolute path without symbolic links; bytes that are not ASCII are escaped.
    pub(crate) path: String,
    /// Whether directories in it belong to it, at any depth.
    pub(crate) is_recursive: bool,
    /// The id of the boot in which devices and inodes have these numbers.
    pub(crate) boot: Option<String>,
    /// The machine whose local disks have all of it; `None` if the machine is unknown, or others may reach these files too.
    pub(crate) machine: Option<String>,
    /// The directory, and, if it is recursive, each directory in it at which a file system or another directory is mounted.
    pub(crate) parts: Vec<DirectoryPart>,
}

/// A directory without what is mounted inside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DirectoryPart {
    /// `None` if it does not exist yet.
    pub(crate) inode: Option<Inode>,
    /// The inodes of the directories above it, up to the root directory.
    pub(crate) above: Vec<Inode>,
    /// Where it is in its file system. A bind mount changes neither.
    pub(crate) place: Option<Place>,
}

/// An inode number, and the number of the device that it belongs to. A number is given again once its directory is removed, so
/// the time of birth belongs to it, where the file system keeps one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inode {
    pub(crate) device: u64,
    pub(crate) number: u64,
    /// In nanoseconds since 1970.
    pub(crate) born: Option<i64>,
}

/// A path within a file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Major and minor number of the device of the file system, as in `254:0`.
    pub(crate) device: String,
    /// From the root of the file system on; bytes that are not ASCII are escaped.
    pub(crate) path: String,
}

impl DirectoryIdentity {
    /// The absolute path, without symbolic links. Bytes that are not ASCII are escaped.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether `path`, as text that is not escaped, is that of this directory.
    pub fn is_at(&self, path: &str) -> bool {
        // Where bytes of the path are no UTF-8, the text has other characters in their place.
        path.contains(char::REPLACEMENT_CHARACTER) || path.as_bytes().escape_ascii().to_string() == self.path
    }

    /// Whether directories in it belong to it, at any depth.
    pub fn is_recursive(&self) -> bool {
        self.is_recursive
    }

    /// Whether some file belongs to both directories: they are the same, or one of them is recursive and contains the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.overlaps_by_path(other) || self.is_of_one_boot(other) && self.overlaps_by_identity(other)
    }

    /// Whether the paths alone tell that some file belongs to both.
    pub fn overlaps_by_path(&self, other: &Self) -> bool {
        let is_same_view = match self.is_of_one_boot(other) {
            true => self.root() == other.root(),
            false => self.machine.is_none() || other.machine.is_none() || self.machine == other.machine,
        };
        is_same_view
            && (is_in(&self.path, &other.path, other.is_recursive) || is_in(&other.path, &self.path, self.is_recursive))
    }

    fn overlaps_by_identity(&self, other: &Self) -> bool {
        self.parts.iter().any(|ours| {
            let mut theirs = other.parts.iter();
            theirs.any(|theirs| ours.is_in(theirs, other.is_recursive) || theirs.is_in(ours, self.is_recursive))
        })
    }

    /// Whether devices and inodes have the same numbers for both.
    fn is_of_one_boot(&self, other: &Self) -> bool {
        self.boot.is_some() && self.boot == other.boot
    }

    /// The root directory. That of a container is another one.
    fn root(&self) -> Option<Inode> {
        let directory = self.parts.first()?;
        directory.above.last().copied().or(directory.inode)
    }
}

impl DirectoryPart {
    /// Whether it is `other`, or inside it if that one is recursive.
    fn is_in(&self, other: &Self, is_recursive: bool) -> bool {
        let by_inode = other.inode.is_some_and(|inode| {
            let is_same = self.inode == Some(inode);
            is_same || is_recursive && self.above.contains(&inode)
        });
        by_inode
            || match (&self.place, &other.place) {
                (Some(ours), Some(theirs)) => {
                    ours.device == theirs.device && is_in(&ours.path, &theirs.path, is_recursive)
                }
                _ => false,
            }
    }
}

/// Whether the directory `path` is `other`, or inside it if that one is recursive.
fn is_in(path: &str, other: &str, is_recursive: bool) -> bool {
    match is_recursive {
        true => Path::new(path).starts_with(other),
        false => path == other,
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    /// A directory on the local disk of machine `m` in boot `b`. The inode of a directory is its path, in a sense.
    fn directory(path: &str) -> DirectoryIdentity {
        DirectoryIdentity {
            path: path.into(),
            is_recursive: false,
            boot: Some("b".into()),
            machine: Some("m".into()),
            parts: vec![part(path, "254:0", path)],
        }
    }

    fn recursive(path: &str) -> DirectoryIdentity {
        DirectoryIdentity {
            is_recursive: true,
            ..directory(path)
        }
    }

    /// The directory at `path`, which is `place` of a file system.
    fn part(path: &str, device: &str, place: &str) -> DirectoryPart {
        let above = Path::new(path).ancestors().skip(1);
        DirectoryPart {
            inode: Some(inode(device, place)),
            above: above.map(|path| inode("254:0", &path.to_string_lossy())).collect(),
            place: Some(Place {
                device: device.into(),
                path: place.into(),
            }),
        }
    }

    fn inode(device: &str, path: &str) -> Inode {
        let number = |text: &str| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        };
        Inode {
            device: number(device),
            number: number(path),
            born: Some(1),
        }
    }

    /// `bound` under the name `path`, by a bind mount.
    fn bind(path: &str, bound: DirectoryIdentity) -> DirectoryIdentity {
        DirectoryIdentity {
            path: path.into(),
            parts: vec![part(path, "254:0", &bound.path)],
            ..bound
        }
    }

    fn overlap(a: &DirectoryIdentity, b: &DirectoryIdentity) -> bool {
        assert_eq!(a.overlaps(b), b.overlaps(a));
        let json = serde_json::to_string(a).unwrap();
        assert_eq!(&serde_json::from_str::<DirectoryIdentity>(&json).unwrap(), a);
        assert!(json.is_ascii());
        a.overlaps(b)
    }

    #[test]
    fn a_directory_overlaps_itself_and_recursive_ones_above_it() {
        for (a, b, expected) in [
            (directory("/data"), directory("/data"), true),
            (directory("/data"), directory("/data/sub"), false),
            (directory("/data"), recursive("/data/sub"), false),
            (recursive("/data"), directory("/data/sub"), true),
            (recursive("/data"), recursive("/data/sub/deep"), true),
            (recursive("/data"), directory("/database"), false),
            (recursive("/data/a"), recursive("/data/b"), false),
            (recursive("/"), directory("/data"), true),
        ] {
            assert_eq!(overlap(&a, &b), expected, "{a:?}\n{b:?}");
        }
    }

    #[test]
    fn a_bind_mount_is_the_directory_that_it_shows() {
        for (a, b, expected) in [
            (directory("/data"), bind("/mnt", directory("/data")), true),
            // The mount shows a directory inside, or one above.
            (recursive("/data"), bind("/mnt", directory("/data/sub")), true),
            (directory("/data"), bind("/mnt", directory("/data/sub")), false),
            (directory("/data/sub"), bind("/mnt", recursive("/data")), true),
            (directory("/other"), bind("/mnt", recursive("/data")), false),
        ] {
            assert_eq!(overlap(&a, &b), expected, "{a:?}\n{b:?}");
        }
        // A directory below one that is mounted elsewhere.
        let mut below = directory("/mnt/sub");
        below.parts = vec![part("/mnt/sub", "254:0", "/data/sub")];
        assert!(overlap(&below, &directory("/data/sub")));
        assert!(overlap(&below, &recursive("/data")));
    }

    #[test]
    fn what_is_mounted_inside_a_recursive_directory_belongs_to_it() {
        let mut a = recursive("/a");
        a.parts.push(part("/a/x", "254:0", "/b"));
        a.parts.push(part("/a/y", "8:1", "/"));
        let mut disk = directory("/mnt/disk/shop");
        disk.parts = vec![part("/mnt/disk/shop", "8:1", "/shop")];
        for (b, expected) in [
            (directory("/b"), true),
            (directory("/b/deep"), true),
            (recursive("/"), true),
            (directory("/"), false),
            (directory("/c"), false),
            (disk, true),
        ] {
            assert_eq!(overlap(&a, &b), expected, "{b:?}");
        }
    }

    #[test]
    fn a_renamed_directory_has_its_inode_and_a_new_one_the_path() {
        let before = directory("/data");
        let mut renamed = directory("/old");
        renamed.parts[0].inode = before.parts[0].inode;
        assert!(overlap(&before, &renamed));
        let mut created = directory("/data");
        created.parts[0].inode = Some(inode("254:0", "another"));
        assert!(overlap(&before, &created));
        // Another one, which got the number when that one was removed.
        renamed.parts[0].inode.as_mut().unwrap().born = Some(2);
        assert!(!overlap(&before, &renamed));
        let mut inside = directory("/old/sub");
        inside.parts[0].above[0] = before.parts[0].inode.unwrap();
        assert!(overlap(&recursive("/data"), &inside));
    }

    #[test]
    fn a_directory_that_does_not_exist_yet_is_where_it_will_be() {
        let mut archive = recursive("/data/done/2026");
        archive.parts[0].inode = None;
        archive.parts[0].above.truncate(2);
        archive.parts[0].place = None;
        archive.path = "/elsewhere".into();
        assert!(!overlap(&archive, &recursive("/other")));
        archive.parts[0].above = vec![inode("254:0", "/data"), inode("254:0", "/")];
        assert!(overlap(&archive, &recursive("/data")));
        assert!(!overlap(&archive, &directory("/data")));
    }

    #[test]
    fn inodes_of_another_machine_or_boot_mean_nothing() {
        let elsewhere = |machine: Option<&str>, directory: DirectoryIdentity| DirectoryIdentity {
            boot: Some("another".into()),
            machine: machine.map(str::to_owned),
            ..directory
        };
        let here = directory("/data");
        // The same numbers, under another name.
        let same_numbers = bind("/srv", directory("/data"));
        assert!(overlap(&here, &same_numbers));
        for machine in [Some("m"), Some("n"), None] {
            assert!(!overlap(&here, &elsewhere(machine, same_numbers.clone())));
        }
        // The same path: of the local disks of two machines it is certain that they are not the same.
        let same_path = |machine| overlap(&here, &elsewhere(machine, directory("/data")));
        assert_eq!(
            [Some("n"), Some("m"), None].map(same_path),
            [false, true, true],
            "another machine; after a reboot; an unknown one, or a network file system"
        );
    }

    #[test]
    fn the_same_path_in_two_containers_is_told_by_inode() {
        let container = |root: &str, volume: &str| {
            let mut directory = directory("/in");
            directory.parts = vec![part("/in", "254:0", volume)];
            directory.parts[0].above = vec![inode("0:66", root)];
            directory
        };
        assert!(!overlap(&container("a", "/volumes/1"), &container("b", "/volumes/2")));
        assert!(overlap(&container("a", "/volumes/1"), &container("b", "/volumes/1")));
        assert!(overlap(&container("a", "/volumes/1"), &directory("/volumes/1")));
        // In one and the same, whatever is mounted there now.
        assert!(overlap(&container("a", "/volumes/1"), &container("a", "/volumes/2")));
    }
}
