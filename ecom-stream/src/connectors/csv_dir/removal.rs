//! Archiving or deleting a file after all of it is committed.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::directory::Directory;
use super::mark::{FileMark, FileStat};
use super::scan::{FoundFile, REMOVING_PREFIX};
use crate::contract::{Error, ErrorKind, Position, Result};
use crate::crash_point;
use crate::csv::{NamePatterns, from_path};

/// Archives or deletes finished files, and loses nothing that is appended meanwhile.
///
/// ```text
///  a.csv ── rename ──► .ecom-aside.0.a.csv ── unchanged since it was read ──► the archive, or deleted
///    ▲                          │
///    └──── rename back ◄────────┴── changed meanwhile, or the archive fails
/// ```
///
/// Under the hidden name no writer finds the file by its path. A crash between the steps leaves the hidden name, and
/// [`restore_interrupted`] renames it back at the next start.
#[derive(Debug, Clone)]
pub(super) struct Removal<D> {
    pub(super) dir: D,
    pub(super) to: Destination,
    pub(super) restored: Restored,
}

/// The files that could not be removed and got their names back. Renaming changes the change time, so they would be taken for
/// changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Restored(Arc<Mutex<HashMap<OsString, FileStat>>>);

impl Restored {
    /// Notes what a file is like now that it has its name back; `None` forgets it.
    fn set(&self, name: &OsStr, stat: Option<FileStat>) {
        // Every change is a single insert or remove, so the map is valid even if a holder of the lock panicked.
        let mut restored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match stat {
            Some(stat) => restored.insert(name.to_owned(), stat),
            None => restored.remove(name),
        };
    }

    /// Whether the file is one that got its name back, and is otherwise as it was read.
    pub(super) fn is(&self, file: &FoundFile, read: &FileStat) -> bool {
        let restored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        restored.get(&file.name) == Some(&file.stat) && read.is_same_but_ctime(&file.stat)
    }
}

/// What becomes of a finished file.
#[derive(Debug, Clone)]
pub(super) enum Destination {
    /// It is moved into this directory.
    Archive(PathBuf),
    Delete,
}

/// The longest name that file systems allow, in bytes.
const MAX_NAME_BYTES: usize = 255;

impl<D: Directory> Removal<D> {
    /// Archives or deletes the file of a finished position. Does nothing if the file has changed since, or does not exist.
    ///
    /// # Errors
    ///
    /// When the file system refuses. The file has its name again then, if that is possible.
    pub(super) async fn remove(self, position: Position) -> Result<()> {
        let split = position.split.clone();
        // The rest of a renamed file is read under the new name, and a file that changed while it was read has other content.
        let Some(mark) = FileMark::of(&position).filter(|mark| mark.renamed_to.is_none() && !mark.changing) else {
            return Ok(());
        };
        let dir = self.dir.clone();
        let taken = dir.off_thread(move || self.remove_unchanged(&from_path(position.split.path()), mark.stat));
        taken.await.map_err(|err| {
            Error::new(
                ErrorKind::Source,
                format!("cannot archive or delete {split}, which is committed"),
            )
            .caused_by(err)
        })
    }

    /// Removes the file if it is as `stat` says, before and after it got the hidden name.
    fn remove_unchanged(&self, name: &OsStr, stat: FileStat) -> io::Result<()> {
        let from = self.dir.path().join(name);
        let stat = match self.dir.stat_path(&from) {
            Ok(now) => {
                let name = name.to_owned();
                match now.is_same(&stat) || self.restored.is(&FoundFile { name, stat: now }, &stat) {
                    true => now,
                    // It has changed: the next scan finds it, and it is removed once the new part is committed.
                    false => return Ok(()),
                }
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) => return Err(err),
        };
        crash_point!("removal.before_aside");
        let moved = first_free(|number| {
            let hidden = self.dir.path().join(removing_name(&self.dir.names(), number, name));
            self.dir.rename_to_new(&from, &hidden).map(|()| hidden)
        });
        let hidden = match moved {
            Ok(hidden) => hidden,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(err) => return Err(err),
        };
        crash_point!("removal.aside");
        // It may have been modified or replaced just before it got the hidden name.
        let out = match self.dir.stat_path(&hidden) {
            Ok(now) if now.is_same_but_ctime(&stat) => self.move_or_delete(&hidden, name),
            Ok(_) => return restore(&self.dir, &hidden, name),
            Err(err) => Err(err),
        };
        crash_point!("removal.out");
        if out.is_ok() {
            self.restored.set(name, None);
            return out;
        }
        restore(&self.dir, &hidden, name)?;
        let now = self.dir.stat_path(&from).ok();
        self.restored.set(name, now.filter(|now| now.is_same_but_ctime(&stat)));
        out
    }

    /// Moves a file with a hidden name into the archive, under a numbered name if its own is taken there; or deletes it.
    fn move_or_delete(&self, hidden: &Path, name: &OsStr) -> io::Result<()> {
        match &self.to {
            Destination::Delete => self.dir.remove(hidden),
            Destination::Archive(archive) => {
                if let Some(parent) = Path::new(name).parent().filter(|parent| !parent.as_os_str().is_empty()) {
                    self.dir.make_directories(archive, parent)?;
                }
                first_free(|number| {
                    self.dir
                        .rename_to_new(hidden, &archive.join(numbered(&self.dir.names(), name, number)))
                })
            }
        }
    }
}

/// Renames files back that an earlier run had begun to remove when it crashed. A file whose name is taken gets a number in front.
///
/// # Errors
///
/// When the directory cannot be listed. A file that cannot be renamed is logged.
pub(super) async fn restore_interrupted<D: Directory>(dir: &D) -> io::Result<()> {
    let disk = dir.clone();
    let put = move || {
        for hidden in disk.names_with(REMOVING_PREFIX)? {
            let Some(name) = original_name(&hidden) else { continue };
            match restore(&disk, &disk.path().join(&hidden), &name) {
                Ok(()) => {
                    tracing::info!("restored {name:?}: the last run ended while it was archiving or deleting this file")
                }
                Err(err) => tracing::warn!("cannot restore {name:?} from {hidden:?}: {err}"),
            }
        }
        Ok(())
    };
    dir.off_thread(put).await
}

/// Gives a file its name back, or another one if that is taken.
fn restore(dir: &impl Directory, hidden: &Path, name: &OsStr) -> io::Result<()> {
    crash_point!("removal.before_back");
    first_free(|number| dir.rename_to_new(hidden, &dir.path().join(name_back(&dir.names(), name, number))))?;
    crash_point!("removal.back");
    Ok(())
}

/// The name with a number in front, from 1 on; or before its ending, if the file would not be read by the other name.
fn name_back(names: &NamePatterns, name: &OsStr, number: u32) -> OsString {
    let in_front = with_affixes(names, &format!("{number}."), name, "");
    match number > 0 && names.fit(&in_front) {
        true => in_front,
        false => numbered(names, name, number),
    }
}

/// Tries 0, 1, 2 … until a name is not taken.
fn first_free<R>(mut rename: impl FnMut(u32) -> io::Result<R>) -> io::Result<R> {
    let mut number = 0;
    loop {
        match rename(number) {
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => number += 1,
            renamed => return renamed,
        }
    }
}

/// The hidden name of a file that is being removed.
fn removing_name(names: &NamePatterns, number: u32, name: &OsStr) -> OsString {
    with_affixes(names, &format!("{REMOVING_PREFIX}{number}."), name, "")
}

/// The name with something in front of its last part and before its ending: `hour=09/a.csv.gz` becomes `hour=09/1.a.2.csv.gz`.
/// The ending stays, so that the file is read under that name too. Where the result would be too long, the middle is cut.
fn with_affixes(names: &NamePatterns, prefix: &str, name: &OsStr, suffix: &str) -> OsString {
    let path = Path::new(name);
    let file = path.file_name().unwrap_or_default().as_bytes();
    let (stem, ending) = file.split_at(file.len() - names.ending_len(OsStr::from_bytes(file)));
    let room = MAX_NAME_BYTES.saturating_sub(prefix.len() + suffix.len() + ending.len());
    let mut cut = stem.len().min(room);
    // Not within a character of UTF-8.
    while cut > 0 && stem.get(cut).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {
        cut -= 1;
    }
    let file = [prefix.as_bytes(), &stem[..cut], suffix.as_bytes(), ending].concat();
    path.with_file_name(OsStr::from_bytes(&file)).into()
}

/// The name that a file with a hidden name had; `None` if that is not a hidden name of this source.
fn original_name(hidden: &OsStr) -> Option<OsString> {
    let path = Path::new(hidden);
    let rest = path.file_name()?.as_bytes().strip_prefix(REMOVING_PREFIX.as_bytes())?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let name = rest[digits..].strip_prefix(b".")?;
    (digits > 0 && !name.is_empty()).then(|| path.with_file_name(OsStr::from_bytes(name)).into())
}

/// The name with a number before its ending, from 1 on: `a.1.csv.gz`.
fn numbered(names: &NamePatterns, name: &OsStr, number: u32) -> OsString {
    match number {
        0 => name.to_owned(),
        _ => with_affixes(names, "", name, &format!(".{number}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::super::disk::Disk;
    use super::*;
    use crate::contract::{Split, SplitState};
    use crate::csv::is_to_be_read;

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
                false => Destination::Delete,
            };
            let dir = Disk::new(data);
            Self {
                root,
                removal: Removal {
                    dir,
                    to,
                    restored: Restored::default(),
                },
            }
        }

        fn put(&self, name: &str, text: &str) -> Position {
            let path = self.root.path().join("data").join(name);
            fs::write(&path, text).unwrap();
            let stat = FileStat::of(&path.metadata().unwrap());
            let mark = FileMark {
                stat,
                digest: String::new(),
                unterminated: false,
                waits_for_line_end: false,
                blank_lines: 0,
                changing: false,
                copy_of: None,
                renamed_to: None,
                header_hash: None,
                columns: Vec::new(),
                ignored_columns: Vec::new(),
                mapped: false,
                mapping: None,
                dialect: None,
            };
            Position {
                split: Split::new("csv", name),
                offset: stat.size,
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

    #[test]
    fn a_file_whose_name_is_taken_gets_one_that_is_read() {
        let names = NamePatterns::new(["orders_*", "*.txt"]).unwrap();
        for (name, number, expected) in [
            ("a.csv.gz", 0, "a.csv.gz"),
            ("a.csv.gz", 1, "1.a.csv.gz"),
            ("x/a.txt", 2, "x/2.a.txt"),
            ("x/orders_7", 2, "x/orders_7.2"),
            ("orders_7.gz", 3, "orders_7.3.gz"),
        ] {
            let back = name_back(&names, name.as_ref(), number);
            assert_eq!(back, expected);
            assert!(names.fit(&back), "{expected}");
        }
    }

    #[tokio::test]
    async fn the_archive_replaces_no_file_and_changed_files_stay() {
        for archive in [true, false] {
            let fixture = Fixture::new(archive);
            let remove = |position| fixture.removal.clone().remove(position);
            remove(fixture.put("a.csv", "one")).await.unwrap();
            let second = fixture.put("a.csv", "two");
            remove(second.clone()).await.unwrap();
            assert_eq!(fixture.names("data"), [""; 0]);
            let kept: &[&str] = if archive { &["a.1.csv", "a.csv"] } else { &[] };
            assert_eq!(fixture.names("done"), kept);

            // A second call, or one for a file that has changed, does nothing.
            remove(second).await.unwrap();
            let before = fixture.put("b.csv", "one");
            fixture.put("b.csv", "one and more");
            remove(before).await.unwrap();
            assert_eq!(
                (fixture.names("data"), fixture.names("done").len()),
                (vec!["b.csv".into()], kept.len())
            );
        }
    }

    #[tokio::test]
    async fn a_file_whose_removal_crashed_is_restored() {
        let fixture = Fixture::new(false);
        fixture.put(".ecom-aside.0.a.csv", "");
        fixture.put(".ecom-aside.1.a.csv", "");
        fixture.put(".ecom-aside.7.b.csv", "");
        fixture.put(".ecom-aside.", "");
        fixture.put(".ecom-aside.x", "");
        restore_interrupted(&fixture.removal.dir).await.unwrap();
        assert_eq!(
            fixture.names("data"),
            [".ecom-aside.", ".ecom-aside.x", "1.a.csv", "a.csv", "b.csv"]
        );
    }

    #[tokio::test]
    async fn names_in_the_archive_are_read_again_and_fit() {
        // As long as a name may be, of one byte or three a character.
        let long = format!("{}.csv.gz", "x".repeat(247));
        let wide = format!("x{}.csv", "\u{4e16}".repeat(83));
        for (name, second) in [
            ("a.csv", "a.1.csv"),
            ("a.csv.gz", "a.1.csv.gz"),
            ("a.b.CSV.zst", "a.b.1.CSV.zst"),
            (&long, &format!("{}.1.csv.gz", "x".repeat(246))),
            (&wide, &format!("x{}.1.csv", "\u{4e16}".repeat(82))),
        ] {
            let fixture = Fixture::new(true);
            for text in ["one", "two"] {
                fixture.removal.clone().remove(fixture.put(name, text)).await.unwrap();
            }
            assert_eq!(fixture.names("data"), [""; 0]);
            let mut names = vec![name.to_owned(), second.to_owned()];
            names.sort();
            assert_eq!(fixture.names("done"), names);
            assert!(names.iter().all(|name| is_to_be_read(name.as_ref())), "{names:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_archived_keeps_its_name() {
        let fixture = Fixture::new(true);
        fs::remove_dir(fixture.root.path().join("done")).unwrap();
        let position = fixture.put("a.csv", "one");
        let read = FileMark::of(&position).unwrap().stat;
        let err = fixture.removal.clone().remove(position).await.unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Source);
        let path = fixture.root.path().join("data/a.csv");
        let found = FoundFile {
            name: "a.csv".into(),
            stat: FileStat::of(&path.metadata().unwrap()),
        };
        assert!(fixture.removal.restored.is(&found, &read), "it needs no other look");
        assert_eq!(fixture.names("data"), ["a.csv"]);
    }
}
