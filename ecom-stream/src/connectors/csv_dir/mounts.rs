//! The mounts of this system: where a directory is in its file system, and what is mounted inside it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::contract::Place;

/// The mounts that this process sees. There are none where the system does not list them.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<Mount>);

#[derive(Debug, PartialEq, Eq)]
struct Mount {
    id: u64,
    /// Major and minor number.
    device: String,
    /// The directory of the file system that is shown at `point`; another one than `/` in a bind mount.
    root: PathBuf,
    point: PathBuf,
}

impl Mounts {
    pub(super) fn read() -> Self {
        let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
        Self::parse(&text)
    }

    fn parse(mountinfo: &[u8]) -> Self {
        Self(
            mountinfo
                .split(|&byte| byte == b'\n')
                .filter_map(Mount::parse)
                .collect(),
        )
    }

    /// Where the directory at `path` is in its file system. It may not exist yet: then `existing` is the nearest one above that does.
    pub(super) fn place(&self, path: &Path, existing: &Path) -> Option<Place> {
        let mount = match mount_id(existing) {
            Some(id) => self.0.iter().find(|mount| mount.id == id),
            // Of several mounts at the same point, the last one is seen.
            None => {
                let around = self.0.iter().filter(|mount| existing.starts_with(&mount.point));
                around.max_by_key(|mount| mount.point.components().count())
            }
        }?;
        let below = path.strip_prefix(&mount.point).ok()?;
        Some(Place {
            device: mount.device.clone(),
            path: escaped(&match below.as_os_str().is_empty() {
                true => mount.root.clone(),
                false => mount.root.join(below),
            }),
        })
    }

    /// The directories inside `path` at which something is mounted.
    pub(super) fn inside(&self, path: &Path) -> Vec<&Path> {
        let inside = self
            .0
            .iter()
            .filter(|mount| mount.point != path && mount.point.starts_with(path));
        // One that another mount hides is not read.
        let seen =
            inside.filter(|mount| mount.point.is_dir() && mount_id(&mount.point).is_none_or(|id| id == mount.id));
        seen.map(|mount| mount.point.as_path()).collect()
    }
}

impl Mount {
    /// A line such as `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ');
        let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let device = std::str::from_utf8(fields.nth(1)?).ok()?.to_owned();
        let (root, point) = (unescaped(fields.next()?), unescaped(fields.next()?));
        Some(Self {
            id,
            device,
            root,
            point,
        })
    }
}

/// A path of the list, in which spaces and a few other bytes are octal, as in `\040`.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, behind)) = rest.split_first() {
        let octal = behind.get(..3).filter(|_| byte == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                path.push(byte);
                rest = &behind[3..];
            }
            None => {
                path.push(byte);
                rest = behind;
            }
        }
    }
    PathBuf::from(OsString::from_vec(path))
}

/// A path in ASCII, which a database of any encoding can hold.
pub(super) fn escaped(path: &Path) -> String {
    path.as_os_str().as_bytes().escape_ascii().to_string()
}

/// The number of the mount through which `path` is seen, where the system tells it.
#[cfg(target_os = "linux")]
pub(super) fn mount_id(path: &Path) -> Option<u64> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

    let stat = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    let is_told = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID);
    is_told.then_some(stat.stx_mnt_id)
}

/// The number of the mount through which `path` is seen, where the system tells it.
#[cfg(not(target_os = "linux"))]
pub(super) fn mount_id(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_parsed_with_any_bytes_in_their_paths() {
        let mounts = Mounts::parse(
            b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
              90 27 254:0 /srv/a\\040b /nowhere/c\\134d\xff rw,relatime shared:1 master:2 - ext4 /dev/vda rw\n\
              no mount\n",
        );
        let bound = Path::new("/nowhere").join(OsString::from_vec(b"c\\d\xff".to_vec()));
        assert_eq!(mounts.0.len(), 2);
        assert_eq!((mounts.0[1].id, mounts.0[1].point.as_path()), (90, bound.as_path()));
        let place = |mounts: &Mounts, path: &Path| mounts.place(path, path).map(|place| place.path);
        assert_eq!(place(&mounts, &bound).as_deref(), Some("/srv/a b"));
        assert_eq!(
            place(&mounts, &bound.join("\u{e9}")).as_deref(),
            Some("/srv/a b/\\xc3\\xa9")
        );
        assert_eq!(place(&mounts, Path::new("/nowhere")).as_deref(), Some("/nowhere"));
        assert_eq!(place(&Mounts::default(), &bound), None);
        // What does not exist is not read.
        assert!(mounts.inside(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn what_this_system_has_mounted_is_found_inside_the_root_directory() {
        let mounts = Mounts::read();
        let has_proc = mounts.inside(Path::new("/")).contains(&Path::new("/proc"));
        assert_eq!(has_proc, cfg!(target_os = "linux"));
    }
}
