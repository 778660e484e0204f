//! The simulated world: files, clock, notifications and faults.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use fastrand::Rng;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::mark::FileStat;
use super::super::notifications::{Notification, Notifications, was_known};
use crate::csv::{NamePatterns, is_to_be_read};

/// The path of the simulated directory.
pub(super) const DATA: &str = "/sim/data";
pub(super) const ARCHIVE: &str = "/sim/archive";

const FIRST_WALL_NS: i64 = 1_800_000_000_000_000_000;
/// No history needs this many calls: with more, the source must be in an endless loop.
const MAX_CALLS: u64 = 300_000;

/// The content of a file from one rewrite to the next. It only grows, and the laws are about contents.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// Every length that it has had.
    pub(super) lengths: BTreeSet<usize>,
    /// How often it may be read besides the first time.
    pub(super) excused: usize,
    /// The length that it had when it was first renamed in, which says that it is complete.
    pub(super) renamed_at: Option<usize>,
    /// Whether it was the beginning of an upload that came again: its rows are those of the later content.
    pub(super) is_superseded: bool,
}

/// A file, independent of its name. It lives on without a name while a process has it open.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) inode: u64,
    pub(super) content: usize,
    /// Its earlier contents.
    pub(super) past: Vec<usize>,
    pub(super) mtime_ns: i64,
    pub(super) ctime_ns: i64,
    /// How many times the source has it open.
    pub(super) readers: usize,
    pub(super) is_linked: bool,
    /// Every name that it has had under which it can be read.
    pub(super) paths: BTreeSet<String>,
    /// Whether its content changed in one tick of the clock, and its metadata did not.
    pub(super) is_ambiguous: bool,
}

/// What goes wrong, and how often: one in this many times; 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) io_errors: u32,
    pub(super) lost_notifications: u32,
    pub(super) late_notifications: u32,
    /// The shop acts between two calls of the source.
    pub(super) interleaving: u32,
}

#[derive(Debug)]
struct Listener {
    notifications: Weak<Notifications>,
    directory: u64,
}

/// Something that acts in the world, such as the shop.
pub(super) trait Actor: Debug + Send {
    /// Takes one step, if there is any left to take.
    fn act(&mut self, world: &mut World);

    fn is_done(&self) -> bool;
}

/// Everything outside the source: the file system, the time, the shop that writes the files.
#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    shop: Option<Box<dyn Actor>>,
    /// Every row that was ever written, without its line end.
    pub(super) rows: Vec<String>,
    pub(super) faults: Faults,
    pub(super) nodes: Vec<Node>,
    pub(super) contents: Vec<Content>,
    pub(super) data: BTreeMap<String, usize>,
    pub(super) archive: BTreeMap<String, usize>,
    /// The files of the directory, while it is unmounted.
    pub(super) unmounted: Option<BTreeMap<String, usize>>,
    /// Inode of the directory.
    pub(super) directory: u64,
    started: Instant,
    pub(super) skew_ns: i64,
    pub(super) mtime_step_ns: i64,
    listeners: Vec<Listener>,
    late: Vec<(String, Notification)>,
    /// The names about which the last notification that the source got is that a file was renamed to them.
    renamed_in: HashSet<String>,
    /// The number of the process that runs. Calls of earlier ones fail and do nothing.
    pub(super) process: u64,
    pub(super) crash_after_calls: Option<u64>,
    pub(super) crashed: Arc<Notify>,
    calls: u64,
    /// A hash of the content for each metadata value, to find values that two contents had.
    contents_by_stat: HashMap<FileStat, u64>,
    pub(super) ambiguous: HashSet<FileStat>,
    pub(super) looks_failed: bool,
    /// Whether a run was ended by a crash or a failure: what was read last may not be committed then.
    pub(super) is_interrupted: bool,
    /// The files that the source opened.
    pub(super) opened: Vec<(String, FileStat)>,
    /// Compressed contents, for names that end in .gz, by index and length.
    compressed: HashMap<(usize, usize), Arc<[u8]>>,
    /// The BLAKE3 digest of everything that is committed as finished.
    pub(super) finished: BTreeSet<String>,
    /// How often the server has gone back in time.
    pub(super) went_back: u64,
    /// The digests of what was committed as finished and then lost, until the run notices.
    pub(super) lost: BTreeSet<String>,
    /// The contents that were archived or deleted, and whether all their bytes were committed by then.
    pub(super) removed: Vec<(Vec<u8>, bool)>,
    /// A read gives fewer bytes than this.
    pub(super) max_read_bytes: usize,
    /// How many bytes of files the source has read.
    pub(super) bytes_read: u64,
    pub(super) trace: Vec<String>,
    pub(super) broken_laws: Vec<String>,
}

pub(super) type Shared = Arc<Mutex<World>>;

pub(super) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap()
}

impl World {
    pub(super) fn new(rng: Rng, shop: impl Actor + 'static, faults: Faults, mtime_step_ns: i64) -> Self {
        Self {
            rng,
            shop: Some(Box::new(shop)),
            rows: Vec::new(),
            faults,
            nodes: Vec::new(),
            contents: Vec::new(),
            data: BTreeMap::new(),
            archive: BTreeMap::new(),
            unmounted: None,
            directory: 1,
            started: Instant::now(),
            skew_ns: 0,
            mtime_step_ns,
            listeners: Vec::new(),
            late: Vec::new(),
            renamed_in: HashSet::new(),
            process: 0,
            crash_after_calls: None,
            crashed: Arc::default(),
            calls: 0,
            contents_by_stat: HashMap::new(),
            ambiguous: HashSet::new(),
            looks_failed: false,
            is_interrupted: false,
            opened: Vec::new(),
            compressed: HashMap::new(),
            finished: BTreeSet::new(),
            went_back: 0,
            lost: BTreeSet::new(),
            removed: Vec::new(),
            max_read_bytes: 200,
            bytes_read: 0,
            trace: Vec::new(),
            broken_laws: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, what: impl Into<String>) {
        let at = self.started.elapsed().as_millis();
        self.trace.push(format!("{at:>8} ms  {}", what.into()));
    }

    pub(super) fn broken(&mut self, law: impl Into<String>) {
        let law = law.into();
        self.note(format!("LAW BROKEN: {law}"));
        self.broken_laws.push(law);
    }

    /// True one in `n` times; never for 0.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        n > 0 && self.rng.u32(..n) == 0
    }

    /// Counts a call of `process`. The shop may act first, or the process may crash here.
    pub(super) fn call(&mut self, process: u64) -> io::Result<()> {
        self.calls += 1;
        if self.calls == MAX_CALLS {
            self.broken("the source is in an endless loop");
        }
        if process == self.process
            && let Some(left) = &mut self.crash_after_calls
        {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.crash();
            }
        }
        if process != self.process || self.calls >= MAX_CALLS {
            return Err(io::Error::other("the process is dead"));
        }
        if self.one_in(self.faults.interleaving) {
            self.act();
        }
        Ok(())
    }

    /// Fails now and then, as hardware does.
    pub(super) fn fault(&mut self, kind: io::ErrorKind, what: &str) -> io::Result<()> {
        match self.one_in(self.faults.io_errors) {
            true => {
                self.note(format!("fault: {what}: {kind}"));
                Err(kind.into())
            }
            false => Ok(()),
        }
    }

    pub(super) fn crash(&mut self) {
        self.process += 1;
        self.is_interrupted = true;
        self.crash_after_calls = None;
        self.listeners.clear();
        self.note("-- the process dies");
        self.crashed.notify_one();
    }

    /// Whether the shop has nothing left to do.
    pub(super) fn is_done(&self) -> bool {
        self.shop.as_ref().is_none_or(|shop| shop.is_done())
    }

    /// Delivers the late notifications, and lets the shop take a step.
    pub(super) fn act(&mut self) {
        for (name, notification) in std::mem::take(&mut self.late) {
            self.deliver(&name, notification);
        }
        if let Some(mut shop) = self.shop.take() {
            shop.act(self);
            self.shop = Some(shop);
        }
    }

    pub(super) fn wall_ns(&self) -> i64 {
        FIRST_WALL_NS + self.started.elapsed().as_nanos() as i64 + self.skew_ns
    }

    pub(super) fn stat(&self, node: usize) -> FileStat {
        let node = &self.nodes[node];
        FileStat {
            size: self.contents[node.content].bytes.len() as u64,
            mtime_ns: node.mtime_ns,
            inode: node.inode,
            ctime_ns: Some(node.ctime_ns),
        }
    }

    pub(super) fn bytes(&self, node: usize) -> &[u8] {
        &self.contents[self.nodes[node].content].bytes
    }

    /// The compressed content, for a name that ends in .gz. Each part that was written is a member.
    pub(super) fn compressed(&mut self, node: usize) -> Arc<[u8]> {
        let at = self.nodes[node].content;
        let content = &self.contents[at];
        let compressed = self.compressed.entry((at, content.bytes.len())).or_insert_with(|| {
            let mut compressed = Vec::new();
            let mut from = 0;
            for &to in &content.lengths {
                if to > from {
                    let mut encoder = GzEncoder::new(&mut compressed, Compression::fast());
                    encoder.write_all(&content.bytes[from..to]).unwrap();
                    encoder.finish().unwrap();
                    from = to;
                }
            }
            compressed.into()
        });
        compressed.clone()
    }

    pub(super) fn is_ambiguous(&self, stat: FileStat) -> bool {
        self.ambiguous.contains(&stat)
    }

    pub(super) fn listen(&mut self, notifications: &Arc<Notifications>) {
        self.renamed_in.clear();
        self.listeners = vec![Listener {
            notifications: Arc::downgrade(notifications),
            directory: self.directory,
        }];
    }

    fn notify(&mut self, name: &str, notification: Notification) {
        if self.one_in(self.faults.lost_notifications) {
            if self.rng.u32(..8) == 0 {
                self.listeners
                    .iter()
                    .filter_map(|listener| listener.notifications.upgrade())
                    .for_each(|notifications| notifications.request_scan());
            }
            return;
        }
        // The system reports in order what happens to a name.
        let is_behind_another = self.late.iter().any(|(of, _)| of == name);
        if self.one_in(self.faults.late_notifications) || is_behind_another {
            self.late.push((name.to_owned(), notification));
        } else {
            self.deliver(name, notification);
        }
    }

    fn deliver(&mut self, name: &str, notification: Notification) {
        for listener in &self.listeners {
            if let Some(notifications) = listener.notifications.upgrade()
                && listener.directory == self.directory
            {
                notifications.add(name.into(), notification);
                match notification {
                    Notification::Renamed => self.renamed_in.insert(name.to_owned()),
                    Notification::Written | Notification::RenamedWithin => self.renamed_in.remove(name),
                    Notification::Closed => false,
                };
            }
        }
    }

    fn touched(&mut self, node: usize) {
        self.nodes[node].mtime_ns = self.file_system_ns();
        self.nodes[node].is_ambiguous = false;
        self.metadata_changed(node);
        let names: Vec<String> = self.names_of(node);
        for name in names {
            self.notify(&name, Notification::Written);
        }
    }

    /// The time that the file system gives to a change now.
    fn file_system_ns(&self) -> i64 {
        let wall = self.wall_ns();
        wall - wall.rem_euclid(self.mtime_step_ns)
    }

    fn metadata_changed(&mut self, node: usize) {
        self.nodes[node].ctime_ns = self.file_system_ns();
        self.remember_stat(node);
    }

    fn remember_stat(&mut self, node: usize) {
        let mut hasher = DefaultHasher::new();
        self.bytes(node).hash(&mut hasher);
        let (stat, content) = (self.stat(node), hasher.finish());
        if *self.contents_by_stat.entry(stat).or_insert(content) != content {
            self.ambiguous.insert(stat);
            self.nodes[node].is_ambiguous = true;
        }
    }

    fn names_of(&self, node: usize) -> Vec<String> {
        let names = self.data.iter().filter(|(_, of)| **of == node);
        names.map(|(name, _)| name.clone()).collect()
    }

    fn named(&mut self, name: &str, node: usize) {
        self.data.insert(name.to_owned(), node);
        if is_to_be_read(name.as_ref()) {
            self.nodes[node].paths.insert(name.to_owned());
        }
    }

    fn new_content(&mut self, bytes: Vec<u8>) -> usize {
        self.contents.push(Content {
            lengths: [bytes.len()].into(),
            bytes,
            ..Content::default()
        });
        self.contents.len() - 1
    }

    /// Creates a file, or empties the existing one, as `File::create` does.
    pub(super) fn create(&mut self, name: &str) -> usize {
        self.note(format!("create {name}"));
        if let Some(&node) = self.data.get(name) {
            self.rewrite(node, Vec::new());
            return node;
        }
        let in_use: BTreeSet<u64> = self
            .nodes
            .iter()
            .filter(|node| node.is_linked || node.readers > 0)
            .map(|node| node.inode)
            .collect();
        // The lowest free number, as file systems choose it.
        let inode = (10..).find(|inode| !in_use.contains(inode)).unwrap();
        let content = self.new_content(Vec::new());
        self.nodes.push(Node {
            inode,
            content,
            past: Vec::new(),
            mtime_ns: 0,
            ctime_ns: 0,
            readers: 0,
            is_linked: true,
            paths: BTreeSet::new(),
            is_ambiguous: false,
        });
        let node = self.nodes.len() - 1;
        self.named(name, node);
        self.touched(node);
        if self.renamed_in.contains(name) {
            // The notification of this is lost or late, and that of the rename of a file before it is not.
            self.contents[content].renamed_at = Some(0);
        }
        node
    }

    pub(super) fn append(&mut self, node: usize, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.note(format!("append to {} {text:?}", self.label(node)));
        let content = &mut self.contents[self.nodes[node].content];
        content.bytes.extend_from_slice(bytes);
        content.lengths.insert(content.bytes.len());
        self.touched(node);
    }

    /// Writes over bytes of a file whose space was allocated first.
    pub(super) fn fill(&mut self, node: usize, at: usize, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.note(format!("fill {} at {at} with {text:?}", self.label(node)));
        let content = &mut self.contents[self.nodes[node].content];
        content.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.touched(node);
    }

    /// Replaces the content of a file in place.
    pub(super) fn rewrite(&mut self, node: usize, bytes: Vec<u8>) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.note(format!("rewrite {} as {text:?}", self.label(node)));
        let content = self.new_content(bytes);
        let past = std::mem::replace(&mut self.nodes[node].content, content);
        // The notification of this may be lost while that of the rename is not.
        self.contents[content].renamed_at = self.contents[past].renamed_at.map(|_| 0);
        self.nodes[node].past.push(past);
        self.touched(node);
    }

    pub(super) fn closed(&mut self, node: usize) {
        for name in self.names_of(node) {
            self.notify(&name, Notification::Closed);
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let Some(node) = self.data.remove(from) else { return };
        self.note(format!("rename {from} to {to}"));
        if let Some(replaced) = self.data.remove(to) {
            self.nodes[replaced].is_linked = false;
            self.metadata_changed(replaced);
        }
        self.named(to, node);
        self.metadata_changed(node);
        if was_known(&NamePatterns::default(), from.as_ref()) {
            self.notify(to, Notification::RenamedWithin);
        } else {
            let content = &mut self.contents[self.nodes[node].content];
            content.renamed_at.get_or_insert(content.bytes.len());
            self.notify(to, Notification::Renamed);
        }
    }

    pub(super) fn unlink(&mut self, name: &str) {
        if let Some(node) = self.data.remove(name) {
            self.note(format!("delete {name}"));
            self.nodes[node].is_linked = false;
            self.metadata_changed(node);
        }
    }

    pub(super) fn set_mtime(&mut self, node: usize, mtime_ns: i64) {
        self.note(format!("touch {}", self.label(node)));
        self.nodes[node].mtime_ns = mtime_ns;
        self.metadata_changed(node);
    }

    /// The names of the files that can be read.
    pub(super) fn visible(&self) -> Vec<String> {
        let names = self.data.keys().filter(|name| is_to_be_read(name.as_ref()));
        names.cloned().collect()
    }

    fn label(&self, node: usize) -> String {
        let names = self.names_of(node);
        format!("{}(inode {})", names.join("="), self.nodes[node].inode)
    }
}
