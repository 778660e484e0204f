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
use super::super::hints::Hints;
use super::super::mark::Stamp;
use super::super::scan::{Chunk, ChunkBuilder, Found, Look, passed_over_by_name};
use super::world::{ARCHIVE, DATA, Shared, World, lock};

/// The directory as one process of the source sees it.
#[derive(Debug, Clone)]
pub(super) struct SimDirectory {
    pub(super) world: Shared,
    pub(super) process: u64,
}

/// An open file: it stays the same file whatever becomes of its name.
#[derive(Debug)]
pub(super) struct SimFile {
    dir: SimDirectory,
    node: usize,
    is_packed: bool,
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

    /// Lets time pass, now and then.
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

    fn identity(&self) -> Option<(u64, u64)> {
        let world = lock(&self.world);
        world.unmounted.is_none().then_some((1, world.directory))
    }

    fn listen(&self, hints: Arc<Hints>) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.call(|world| {
            world.fault(io::ErrorKind::Other, "listen")?;
            world.listen(&hints);
            Ok(Box::new(hints) as Box<dyn Any + Send + Sync>)
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
                    let look = dir.look(&name);
                    chunk.add(name, look);
                }
                if chunks.send(Ok(chunk.finish())).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }

    fn look(&self, name: &OsStr) -> io::Result<Look> {
        if let Some(why) = passed_over_by_name(name) {
            return Ok(Look::PassedOver(why));
        }
        self.call(|world| {
            if let Err(err) = world.fault(io::ErrorKind::Other, "look") {
                world.looks_failed = true;
                return Err(err);
            }
            Ok(match world.data.get(&*name.to_string_lossy()) {
                Some(&node) => Look::Found(Found {
                    name: name.to_owned(),
                    stamp: world.stamp(node),
                }),
                None => Look::Gone,
            })
        })
    }

    async fn open(&self, name: &OsStr) -> io::Result<Option<(SimFile, Stamp)>> {
        self.pause().await;
        let opened = self.call(|world| {
            world.fault(io::ErrorKind::PermissionDenied, "open")?;
            let Some(&node) = world.data.get(&*name.to_string_lossy()) else {
                return Ok(None);
            };
            world.nodes[node].readers += 1;
            world.note(format!("  source opens {}", name.to_string_lossy()));
            let stamp = world.stamp(node);
            world.opened.push((name.to_string_lossy().into_owned(), stamp));
            Ok(Some((node, stamp)))
        })?;
        Ok(opened.map(|(node, stamp)| {
            let file = SimFile {
                dir: self.clone(),
                node,
                is_packed: name.as_bytes().ends_with(b".gz"),
                at: 0,
                delay: None,
                waited: false,
            };
            (file, stamp)
        }))
    }

    async fn stamp(file: &SimFile) -> io::Result<Stamp> {
        file.dir.pause().await;
        file.dir.call(|world| Ok(world.stamp(file.node)))
    }

    fn wall_ns(&self) -> i64 {
        lock(&self.world).wall_ns()
    }

    fn stamp_at(&self, path: &Path) -> io::Result<Stamp> {
        self.call(|world| {
            world.fault(io::ErrorKind::Other, "stat")?;
            let node = world.data.get(&Self::name(path)).copied();
            node.map(|node| world.stamp(node))
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
    /// Takes a file out of the directory for good. The shop can't act between the source's last look and this: no file
    /// system could help it there.
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
        let is_committed = world.finished.contains(blake3::hash(&bytes).to_hex().as_str());
        let stamp = world.stamp(node);
        if !world.is_ambiguous(stamp) {
            world.taken.push((bytes, is_committed));
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
        let most = world.rng.usize(1..200).min(buf.remaining());
        let packed = file.is_packed.then(|| world.packed(file.node));
        let bytes = packed.as_deref().unwrap_or_else(|| world.bytes(file.node));
        let rest = bytes.get(file.at as usize..).unwrap_or_default();
        let read = most.min(rest.len());
        buf.put_slice(&rest[..read]);
        file.at += read as u64;
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
