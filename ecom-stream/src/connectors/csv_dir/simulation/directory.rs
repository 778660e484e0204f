//! The simulated directory, as the source sees it.

use std::any::Any;
use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use super::super::directory::Directory;
use super::super::mark::FileStat;
use super::super::notifications::Notifications;
use super::super::scan::{Chunk, ChunkBuilder, FoundFile, StatResult, skip_reason_of_name};
use super::world::{ARCHIVE, DATA, Shared, World, lock};

/// The simulated directory as one process of the source sees it. All calls fail once that process has crashed.
#[derive(Debug, Clone)]
pub(super) struct SimDirectory {
    pub(super) world: Shared,
    pub(super) process: u64,
}

/// An open simulated file. It stays the same file whatever happens to its name.
#[derive(Debug)]
pub(super) struct SimFile {
    dir: SimDirectory,
    node: usize,
    is_compressed: bool,
    at: u64,
    delay: Option<Pin<Box<Sleep>>>,
    waited: bool,
}

impl SimDirectory {
    fn call<R>(&self, f: impl FnOnce(&mut World) -> io::Result<R>) -> io::Result<R> {
        let mut world = lock(&self.world);
        world.call(self.process)?;
        f(&mut world)
    }

    /// Lets simulated time pass, one time in four.
    async fn pause(&self) {
        let ms = {
            let mut world = lock(&self.world);
            match world.one_in(4) {
                true => world.rng.u64(..30),
                false => 0,
            }
        };
        if ms > 0 {
            sleep(Duration::from_millis(ms)).await;
        }
    }

    fn name(path: &Path) -> String {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }
}

impl Directory for SimDirectory {
    type File = SimFile;

    fn path(&self) -> &Path {
        Path::new(DATA)
    }

    fn device_inode(&self) -> Option<(u64, u64)> {
        let world = lock(&self.world);
        world.unmounted.is_none().then_some((1, world.directory))
    }

    fn listen(&self, notifications: Arc<Notifications>) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.call(|world| {
            world.fault(io::ErrorKind::Other, "listen")?;
            world.listen(&notifications);
            Ok(Box::new(notifications) as Box<dyn Any + Send + Sync>)
        })
    }

    fn scan(&self) -> mpsc::Receiver<io::Result<Chunk>> {
        let (chunks, receiver) = mpsc::channel(2);
        let dir = self.clone();
        tokio::spawn(async move {
            let mut before = String::new();
            loop {
                dir.pause().await;
                let listed = dir.call(|world| {
                    world.fault(io::ErrorKind::Other, "scan")?;
                    if world.unmounted.is_some() {
                        return Err(io::ErrorKind::NotFound.into());
                    }
                    let count = world.rng.usize(1..4);
                    let after = world.data.keys().filter(|name| **name > before);
                    Ok(after.take(count).cloned().collect::<Vec<_>>())
                });
                let names = match listed {
                    Ok(names) => names,
                    Err(err) => {
                        // Fails only when the source was dropped.
                        let _ = chunks.send(Err(err)).await;
                        return;
                    }
                };
                let Some(last) = names.last().cloned() else { return };
                before = last;
                let mut chunk = ChunkBuilder::default();
                for name in names {
                    let name = OsString::from(name);
                    let stat = dir.stat(&name);
                    chunk.add(name, stat);
                }
                if chunks.send(Ok(chunk.finish())).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }

    fn stat(&self, name: &OsStr) -> io::Result<StatResult> {
        if let Some(why) = skip_reason_of_name(&self.names(), name) {
            return Ok(StatResult::Skipped(why));
        }
        self.call(|world| {
            if let Err(err) = world.fault(io::ErrorKind::Other, "look") {
                world.looks_failed = true;
                return Err(err);
            }
            Ok(match world.data.get(&*name.to_string_lossy()) {
                Some(&node) => StatResult::Found(FoundFile {
                    name: name.to_owned(),
                    stat: world.stat(node),
                }),
                None => StatResult::Gone,
            })
        })
    }

    async fn open(&self, name: &OsStr) -> io::Result<Option<(SimFile, FileStat)>> {
        self.pause().await;
        let opened = self.call(|world| {
            world.fault(io::ErrorKind::PermissionDenied, "open")?;
            let Some(&node) = world.data.get(&*name.to_string_lossy()) else {
                return Ok(None);
            };
            world.nodes[node].readers += 1;
            world.note(format!("  source opens {}", name.to_string_lossy()));
            let stat = world.stat(node);
            world.opened.push((name.to_string_lossy().into_owned(), stat));
            Ok(Some((node, stat)))
        })?;
        Ok(opened.map(|(node, stat)| {
            let file = SimFile {
                dir: self.clone(),
                node,
                is_compressed: name.as_bytes().ends_with(b".gz"),
                at: 0,
                delay: None,
                waited: false,
            };
            (file, stat)
        }))
    }

    async fn stat_open(file: &SimFile) -> io::Result<FileStat> {
        file.dir.pause().await;
        file.dir.call(|world| Ok(world.stat(file.node)))
    }

    fn wall_ns(&self) -> i64 {
        lock(&self.world).wall_ns()
    }

    fn stat_path(&self, path: &Path) -> io::Result<FileStat> {
        self.call(|world| {
            world.fault(io::ErrorKind::Other, "stat")?;
            let node = world.data.get(&Self::name(path)).copied();
            node.map(|node| world.stat(node))
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    fn names_with(&self, prefix: &str) -> io::Result<Vec<OsString>> {
        self.call(|world| {
            world.fault(io::ErrorKind::Other, "list")?;
            let names = world.data.keys().filter(|name| name.starts_with(prefix));
            Ok(names.map(OsString::from).collect())
        })
    }

    fn rename_to_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, new) = (Self::name(from), Self::name(to));
        if !to.starts_with(ARCHIVE) {
            return self.call(|world| {
                world.fault(io::ErrorKind::Other, "rename")?;
                match (world.data.contains_key(&from), world.data.contains_key(&new)) {
                    (false, _) => Err(io::ErrorKind::NotFound.into()),
                    (true, true) => Err(io::ErrorKind::AlreadyExists.into()),
                    (true, false) => {
                        world.note(format!("  source renames {from} to {new}"));
                        world.rename(&from, &new);
                        Ok(())
                    }
                }
            });
        }
        self.take(&from, |world, node| {
            if world.archive.contains_key(&new) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            world.fault(io::ErrorKind::StorageFull, "archive")?;
            world.note(format!("  source archives {from} as {new}"));
            world.archive.insert(new, node);
            Ok(())
        })
    }

    fn make_directories(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let name = Self::name(path);
        self.take(&name, |world, node| {
            world.fault(io::ErrorKind::PermissionDenied, "remove")?;
            world.note(format!("  source deletes {name}"));
            world.nodes[node].is_linked = false;
            Ok(())
        })
    }

    async fn off_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        self.pause().await;
        work()
    }
}

impl SimDirectory {
    /// Removes a file from the directory for good. The shop does not act between the last check of the source and this: no
    /// real file system could protect a file that is modified there.
    fn take(&self, name: &str, how: impl FnOnce(&mut World, usize) -> io::Result<()>) -> io::Result<()> {
        let mut world = lock(&self.world);
        let interleaving = std::mem::take(&mut world.faults.interleaving);
        let alive = world.call(self.process);
        world.faults.interleaving = interleaving;
        alive?;
        let Some(&node) = world.data.get(name) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        how(&mut world, node)?;
        world.data.remove(name);
        let bytes = world.bytes(node).to_vec();
        let digest = blake3::hash(&bytes).to_hex();
        let is_committed = world.finished.contains(digest.as_str());
        // A run that has not noticed yet that the server went back removes a file whose commit it has seen.
        let is_lost = !is_committed && world.lost.contains(digest.as_str());
        if !world.nodes[node].is_ambiguous && !is_lost {
            world.removed.push((bytes, is_committed));
        }
        Ok(())
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if let Ok(mut world) = self.dir.world.lock() {
            world.nodes[self.node].readers -= 1;
        }
    }
}

impl AsyncRead for SimFile {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let file = &mut *self;
        let mut world = lock(&file.dir.world);
        if file.delay.is_none() && !file.waited && world.one_in(4) {
            let ms = world.rng.u64(1..60);
            file.delay = Some(Box::pin(sleep(Duration::from_millis(ms))));
        }
        if let Some(delay) = &mut file.delay {
            drop(world);
            ready!(delay.as_mut().poll(cx));
            file.delay = None;
            file.waited = true;
            world = lock(&file.dir.world);
        }
        file.waited = false;
        world.call(file.dir.process)?;
        if world.one_in(4) {
            world.fault(io::ErrorKind::Other, "read")?;
        }
        let most = world.max_read_bytes;
        let most = world.rng.usize(1..most).min(buf.remaining());
        let compressed = file.is_compressed.then(|| world.compressed(file.node));
        let bytes = compressed.as_deref().unwrap_or_else(|| world.bytes(file.node));
        let rest = bytes.get(file.at as usize..).unwrap_or_default();
        let read = most.min(rest.len());
        buf.put_slice(&rest[..read]);
        file.at += read as u64;
        world.bytes_read += read as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for SimFile {
    fn start_seek(mut self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        match position {
            io::SeekFrom::Start(at) => self.at = at,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.at))
    }
}
