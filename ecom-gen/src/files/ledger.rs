//! The ledger of the files that a directory contains: a hidden file beside them.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ecom_stream::{
    AtomicFile, Error, ErrorKind, FileNames, Ledger, Mark, Position, Refusal, Result, Split, SplitState, StateChange,
};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream, StreamExt};
use serde::{Deserialize, Serialize};

use crate::manifest::ManifestLengths;

/// How long a run waits for the lock of one that is just ending.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// The ledger of one prefix in a directory: `.{prefix}.position.json`. It is locked while a run is active.
#[derive(Debug)]
pub(super) struct FilesLedger {
    path: PathBuf,
    prefix: String,
    known: Saved,
    /// The open file, which holds the lock.
    lock: File,
}

/// The content of the ledger.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Saved {
    epoch: u64,
    positions: Vec<SavedPosition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    state: Vec<SavedState>,
    #[serde(default)]
    manifest: ManifestLengths,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SavedPosition {
    source: String,
    path: String,
    generation: u32,
    offset: u64,
    record: u64,
    state: String,
    reason: Option<String>,
    detail: Option<String>,
    /// The mark as text, so that it is returned unchanged.
    mark: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SavedState {
    operator: String,
    key: Vec<u8>,
    format: u16,
    value: Option<Vec<u8>>,
}

impl FilesLedger {
    /// Opens the ledger, or creates it.
    ///
    /// # Errors
    ///
    /// If another run is active.
    pub(super) fn open(names: &FileNames, prefix: &str) -> Result<Self> {
        let path = names.dir().join(format!(".{prefix}.position.json"));
        let mut file = lock(&path, prefix)?;
        let mut text = String::new();
        let read = file.read_to_string(&mut text);
        read.map_err(|err| Error::io("read", &path, err))?;
        let known = match text.is_empty() {
            true => Saved::default(),
            false => serde_json::from_str(&text).map_err(|err| {
                Error::new(ErrorKind::Sink, format!("{} is not a ledger of files", path.display()))
                    .hint("to start anew, remove it together with the files it describes")
                    .caused_by(err)
            })?,
        };
        Ok(Self {
            path,
            prefix: prefix.to_owned(),
            known,
            lock: file,
        })
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The lengths of the manifest, as far as it describes committed files.
    pub(super) fn manifest_lengths(&self) -> ManifestLengths {
        self.known.manifest
    }

    /// Sets the lengths that the next commit saves.
    pub(super) fn set_manifest_lengths(&mut self, lengths: ManifestLengths) {
        self.known.manifest = lengths;
    }

    /// Saves positions and state as one epoch.
    pub(super) fn commit(&mut self, positions: &[Position], state: &[StateChange], sync: bool) -> Result<u64> {
        self.known.epoch += 1;
        for position in positions {
            self.known.set_position(position);
        }
        for change in state {
            self.known.apply_state(change);
        }
        self.save(sync)?;
        Ok(self.known.epoch)
    }

    fn save(&mut self, sync: bool) -> Result<()> {
        let temporary = self.path.with_extension("json.tmp");
        let text = serde_json::to_vec(&self.known).map_err(|err| Error::io("write", &self.path, err.into()))?;
        let mut file = loop {
            // A temporary file can only be left over from a crash, because this run holds the lock.
            match AtomicFile::create(&temporary)? {
                Some(file) => break file,
                None => fs::remove_file(&temporary).map_err(|err| Error::io("remove", &temporary, err))?,
            }
        };
        file.write(&text)?;
        if sync {
            file.sync()?;
        }
        self.lock = file.replace(&self.path)?;
        Ok(())
    }

    /// The current content, for a source.
    pub(super) fn checkpoint(&self) -> Arc<dyn Ledger> {
        Arc::new(Snapshot {
            pipeline: self.prefix.clone(),
            positions: self
                .known
                .positions
                .iter()
                .filter_map(SavedPosition::position)
                .collect(),
            state: self.known.state.iter().map(SavedState::change).collect(),
        })
    }
}

/// Opens the file and locks it. Each save replaces the file by another one, which is locked, too.
fn lock(path: &Path, prefix: &str) -> Result<File> {
    let began = Instant::now();
    let options = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .clone();
    loop {
        let file = options.open(path).map_err(|err| Error::io("open", path, err))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_TIMEOUT => {
                sleep(RETRY_INTERVAL);
                continue;
            }
            Err(TryLockError::WouldBlock) => {
                let dir = path.parent().unwrap_or(path).display();
                let message = format!("another run is writing the files {prefix}-*.csv in {dir}");
                return Err(Error::new(ErrorKind::Configuration, message)
                    .hint("wait until it ends, or use another directory or another prefix"));
            }
            // The file system has no locks. Users must not run two with the same prefix there.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        // Between opening and locking, a save may have replaced the file.
        let same = |now: fs::Metadata| -> io::Result<bool> { Ok(now.ino() == file.metadata()?.ino()) };
        match fs::metadata(path).and_then(same) {
            Ok(true) => return Ok(file),
            Ok(false) => {}
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(err) => return Err(Error::io("open", path, err)),
        }
    }
}

impl Saved {
    fn set_position(&mut self, position: &Position) {
        let known = SavedPosition::of(position);
        let same = |other: &&mut SavedPosition| (&other.source, &other.path) == (&known.source, &known.path);
        match self.positions.iter_mut().find(same) {
            Some(other) => *other = known,
            None => self.positions.push(known),
        }
    }

    fn apply_state(&mut self, change: &StateChange) {
        self.state
            .retain(|known| (known.operator.as_str(), &known.key) != (&*change.operator, &change.key));
        if change.value.is_some() {
            self.state.push(SavedState {
                operator: change.operator.to_string(),
                key: change.key.clone(),
                format: change.format,
                value: change.value.clone(),
            });
        }
    }
}

impl SavedPosition {
    fn of(position: &Position) -> Self {
        let refusal = position.state.refusal();
        Self {
            source: position.split.source().to_owned(),
            path: position.split.path().to_owned(),
            generation: position.split.generation(),
            offset: position.offset,
            record: position.record,
            state: position.state.as_str().to_owned(),
            reason: refusal.map(|refusal| refusal.reason.to_string()),
            detail: refusal.map(|refusal| refusal.detail.clone()),
            mark: position.mark.as_json().map(str::to_owned),
        }
    }

    fn position(&self) -> Option<Position> {
        let refusal = || {
            let (reason, detail) = (self.reason.clone()?, self.detail.clone()?);
            Some(Refusal::new(reason, detail))
        };
        Some(
            Position::new(
                Split::with_generation(self.source.as_str(), &*self.path, self.generation),
                self.offset,
                self.record,
            )
            .with_state(match self.state.as_str() {
                "damaged" => SplitState::Damaged(refusal()?),
                "set_aside" => SplitState::SetAside(refusal()?),
                "finished" => SplitState::Finished,
                _ => SplitState::Open,
            })
            .with_mark(self.mark.as_deref().map_or(Mark::NONE, Mark::new)),
        )
    }
}

impl SavedState {
    fn change(&self) -> StateChange {
        StateChange::new(
            self.operator.as_str(),
            self.key.clone(),
            self.format,
            self.value.clone(),
        )
    }
}

/// The content of a ledger at the start of a run. Only that run changes the ledger.
struct Snapshot {
    pipeline: String,
    positions: Vec<Position>,
    state: Vec<StateChange>,
}

impl Ledger for Snapshot {
    fn pipeline(&self) -> &str {
        &self.pipeline
    }

    fn positions<'a>(&'a self, of: &'a [Split]) -> BoxFuture<'a, Result<Vec<Position>>> {
        let is_asked = |known: &&Position| {
            let names = |split: &Split| (split.source().to_owned(), split.path().to_owned());
            of.iter().any(|split| names(split) == names(&known.split))
        };
        let found = self.positions.iter().filter(is_asked).cloned().collect();
        async { Ok(found) }.boxed()
    }

    /// Only a directory of files can have files with equal content.
    fn state<'a>(&'a self, operator: &'a str) -> BoxStream<'a, Result<StateChange>> {
        let entries = self.state.iter().filter(move |change| &*change.operator == operator);
        stream::iter(entries.cloned().map(Ok)).boxed()
    }
}
