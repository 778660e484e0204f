//! Renaming a file without replacing another.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Renames a file. Fails with [`AlreadyExists`](io::ErrorKind::AlreadyExists) if `to` is taken, where [`fs::rename`] would
/// silently replace that file.
pub(super) fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system knows the flag; creating a hard link does not replace a file either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => link_to_new(from, to),
        renamed => Ok(renamed?),
    }
}

fn link_to_new(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_replaces_no_file() {
        for rename in [rename_to_new, link_to_new] {
            let dir = tempfile::tempdir().unwrap();
            let (from, to) = (dir.path().join("from"), dir.path().join("to"));
            fs::write(&from, "new").unwrap();
            fs::write(&to, "old").unwrap();
            assert_eq!(rename(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            fs::remove_file(&to).unwrap();
            rename(&from, &to).unwrap();
            assert_eq!(
                (fs::read_to_string(&to).unwrap().as_str(), from.exists()),
                ("new", false)
            );
        }
    }
}
