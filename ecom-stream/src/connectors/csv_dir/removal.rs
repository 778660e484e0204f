use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::directory::Directory;
use super::mark::{FileMark, Stamp};
use crate::contract::{Error, ErrorKind, Position, Result};
use crate::crash_point;
use crate::csv::from_path;

/// Takes finished files away.
///
/// A file is first renamed aside, where nobody who goes by its name finds it, then looked at again, and only then moved or
/// removed. What changed meanwhile goes back; what a crash left aside goes back at the next start.
#[derive(Debug, Clone)]
pub(super) struct Removal<D> {
    pub(super) dir: D,
    pub(super) to: Destination,
}

#[derive(Debug, Clone)]
pub(super) enum Destination {
    Archive(PathBuf),
    Nowhere,
}

/// Files with this prefix and a number are on their way out. Hidden, so that they are passed over.
const ASIDE: &str = ".ecom-aside.";

impl<D: Directory> Removal<D> {
    /// Takes away the file of a finished position, unless it has changed since. Done already, or gone, is fine.
    pub(super) async fn take_away(self, position: Position) -> Result<()> {
        let split = position.split.clone();
        // Of a file that was renamed the rest is read under its new name.
        let Some(mark) = FileMark::of(&position).filter(|mark| mark.renamed_to.is_none()) else {
            return Ok(());
        };
        let dir = self.dir.clone();
        let taken = dir.off_thread(move || self.take(&from_path(position.split.path()), mark.stamp));
        taken.await.map_err(|err| {
            Error::new(
                ErrorKind::Source,
                format!("can't take away {split}, which is committed"),
            )
            .caused_by(err)
        })
    }

    fn take(&self, name: &OsStr, stamp: Stamp) -> io::Result<()> {
        let from = self.dir.path().join(name);
        match self.dir.stamp_at(&from) {
            // Changed since: new work for the next scan, and taken away when that is done.
            Ok(now) if now != stamp => return Ok(()),
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) => return Err(err),
        }
        crash_point!("removal.before_aside");
        let moved = first_free(|number| {
            let aside = self.dir.path().join(aside(number, name));
            self.dir.rename_to_new(&from, &aside).map(|()| aside)
        });
        let aside = match moved {
            Ok(aside) => aside,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) => return Err(err),
        };
        crash_point!("removal.aside");
        // It may have been written to, or replaced, between the look and the move.
        let out = match self.dir.stamp_at(&aside) {
            Ok(now) if now == stamp => self.put_out(&aside, name),
            Ok(_) => return back(&self.dir, &aside, name),
            Err(err) => Err(err),
        };
        crash_point!("removal.out");
        if out.is_err() {
            back(&self.dir, &aside, name)?;
        }
        out
    }

    fn put_out(&self, aside: &Path, name: &OsStr) -> io::Result<()> {
        match &self.to {
            Destination::Nowhere => self.dir.remove(aside),
            Destination::Archive(archive) => {
                if let Some(parent) = Path::new(name).parent().filter(|parent| !parent.as_os_str().is_empty()) {
                    self.dir.make_directories(archive, parent)?;
                }
                first_free(|number| self.dir.rename_to_new(aside, &archive.join(numbered(name, number))))
            }
        }
    }
}

/// Puts back what a crash left aside: under its name, or under one like it where that is taken.
pub(super) async fn put_back<D: Directory>(dir: &D) -> io::Result<()> {
    let disk = dir.clone();
    let put = move || {
        for aside in disk.names_with(ASIDE)? {
            let Some(name) = name_of(&aside) else { continue };
            match back(&disk, &disk.path().join(&aside), &name) {
                Ok(()) => tracing::info!("put back {name:?}, which was on its way out when the last run ended"),
                Err(err) => tracing::warn!("can't put back {aside:?}: {err}"),
            }
        }
        Ok(())
    };
    dir.off_thread(put).await
}

/// Gives a file its name back, or one like it where that is taken.
fn back(dir: &impl Directory, aside: &Path, name: &OsStr) -> io::Result<()> {
    crash_point!("removal.before_back");
    first_free(|number| {
        let to = match number {
            0 => name.to_owned(),
            _ => with_prefix(&format!("{number}."), name),
        };
        dir.rename_to_new(aside, &dir.path().join(to))
    })?;
    crash_point!("removal.back");
    Ok(())
}

fn first_free<R>(mut rename: impl FnMut(u32) -> io::Result<R>) -> io::Result<R> {
    let mut number = 0;
    loop {
        match rename(number) {
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => number += 1,
            renamed => return renamed,
        }
    }
}

fn aside(number: u32, name: &OsStr) -> OsString {
    with_prefix(&format!("{ASIDE}{number}."), name)
}

/// The name with something in front of that of the file, in its sub-directory.
fn with_prefix(prefix: &str, name: &OsStr) -> OsString {
    let path = Path::new(name);
    let mut file = OsString::from(prefix);
    file.push(path.file_name().unwrap_or_default());
    path.with_file_name(file).into()
}

/// The name of a file that was put aside.
fn name_of(aside: &OsStr) -> Option<OsString> {
    let path = Path::new(aside);
    let rest = path.file_name()?.as_bytes().strip_prefix(ASIDE.as_bytes())?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let name = rest[digits..].strip_prefix(b".")?;
    (digits > 0 && !name.is_empty()).then(|| path.with_file_name(OsStr::from_bytes(name)).into())
}

fn numbered(name: &OsStr, number: u32) -> OsString {
    let mut numbered = name.to_owned();
    if number > 0 {
        numbered.push(format!(".{number}"));
    }
    numbered
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::disk::Disk;
    use super::*;
    use crate::contract::{Split, SplitState};

    struct Fixture {
        root: TempDir,
        removal: Removal<Disk>,
    }

    impl Fixture {
        fn new(archive: bool) -> Self {
            let root = tempfile::tempdir().unwrap();
            let (data, done) = (root.path().join("data"), root.path().join("done"));
            fs::create_dir(&data).unwrap();
            fs::create_dir(&done).unwrap();
            let to = match archive {
                true => Destination::Archive(done),
                false => Destination::Nowhere,
            };
            let dir = Disk::new(data);
            Self {
                root,
                removal: Removal { dir, to },
            }
        }

        fn put(&self, name: &str, text: &str) -> Position {
            let path = self.root.path().join("data").join(name);
            fs::write(&path, text).unwrap();
            let stamp = Stamp::of(&path.metadata().unwrap());
            let mark = FileMark {
                stamp,
                digest: String::new(),
                unterminated: false,
                blank_lines: 0,
                changing: false,
                copy_of: None,
                renamed_to: None,
                layout: None,
                columns: Vec::new(),
                ignored_columns: Vec::new(),
                mapped: false,
                mapping: None,
                written: None,
            };
            Position {
                split: Split::new("csv", name),
                offset: stamp.size,
                record: 0,
                state: SplitState::Finished,
                mark: mark.to_mark(),
            }
        }

        fn names(&self, dir: &str) -> Vec<String> {
            let entries = fs::read_dir(self.root.path().join(dir)).unwrap();
            let mut names: Vec<_> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    #[tokio::test]
    async fn nothing_is_replaced_and_changed_files_stay() {
        for archive in [true, false] {
            let fixture = Fixture::new(archive);
            let take_away = |position| fixture.removal.clone().take_away(position);
            take_away(fixture.put("a.csv", "one")).await.unwrap();
            let second = fixture.put("a.csv", "two");
            take_away(second.clone()).await.unwrap();
            assert_eq!(fixture.names("data"), [""; 0]);
            let kept: &[&str] = if archive { &["a.csv", "a.csv.1"] } else { &[] };
            assert_eq!(fixture.names("done"), kept);

            // Told again, or changed since: nothing happens.
            take_away(second).await.unwrap();
            let before = fixture.put("b.csv", "one");
            fixture.put("b.csv", "one and more");
            take_away(before).await.unwrap();
            assert_eq!(
                (fixture.names("data"), fixture.names("done").len()),
                (vec!["b.csv".into()], kept.len())
            );
        }
    }

    #[tokio::test]
    async fn what_a_crash_left_aside_comes_back() {
        let fixture = Fixture::new(false);
        fixture.put(".ecom-aside.0.a.csv", "");
        fixture.put(".ecom-aside.1.a.csv", "");
        fixture.put(".ecom-aside.7.b.csv", "");
        fixture.put(".ecom-aside.", "");
        fixture.put(".ecom-aside.x", "");
        put_back(&fixture.removal.dir).await.unwrap();
        assert_eq!(
            fixture.names("data"),
            [".ecom-aside.", ".ecom-aside.x", "1.a.csv", "a.csv", "b.csv"]
        );
    }

    #[tokio::test]
    async fn a_file_that_can_not_go_out_goes_back() {
        let fixture = Fixture::new(true);
        fs::remove_dir(fixture.root.path().join("done")).unwrap();
        let position = fixture.put("a.csv", "one");
        let err = fixture.removal.clone().take_away(position).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Source);
        assert_eq!(fixture.names("data"), ["a.csv"]);
    }
}
