//! The shop: writes, renames, copies, truncates and deletes files at random.

use std::collections::VecDeque;

use super::world::{Actor, World};

pub(super) const HEADER: &str = "id,check,note";

/// A writer of the files that does with them whatever a real one may do.
#[derive(Debug, Default)]
pub(super) struct Shop {
    actions_left: u32,
    /// What this shop does. Some histories have few kinds of actions, so that each happens often.
    habits: Vec<Habit>,
    writers: Vec<Writer>,
    temporaries: u32,
    /// The upload that broke off last, until it goes on or comes again.
    cut: Option<CutUpload>,
}

/// An upload that broke off.
#[derive(Debug)]
struct CutUpload {
    name: String,
    node: usize,
    bytes: Vec<u8>,
    /// Where it broke off.
    at: usize,
}

/// No other action than that of an upload that breaks off is about files with this in front of their names.
const CUT: &str = "cut";

/// A file that is being written in parts.
#[derive(Debug)]
struct Writer {
    node: usize,
    parts: VecDeque<Vec<u8>>,
    /// Where the next part is written over what there is; `None` to append it.
    fill_at: Option<usize>,
    /// Whether it is closed in the end.
    closes: bool,
    /// The temporary and the final name, if it is renamed at the end.
    rename: Option<(String, String)>,
}

impl Writer {
    /// A writer that appends `bytes` in a few parts, cut anywhere, and closes the file.
    fn new(world: &mut World, node: usize, bytes: Vec<u8>) -> Self {
        let mut cuts: Vec<usize> = (0..world.rng.usize(..4))
            .map(|_| world.rng.usize(..=bytes.len()))
            .collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts = cuts.windows(2).map(|cut| bytes[cut[0]..cut[1]].to_vec()).collect();
        Self {
            node,
            parts,
            fill_at: None,
            closes: true,
            rename: None,
        }
    }
}

/// A kind of action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    DropIn,
    WriteInPlace,
    Append,
    Truncate,
    Rewrite,
    RewriteSameSize,
    RewriteUnseen,
    Rename,
    Rotate,
    Copy,
    CopyInPlace,
    Delete,
    Recreate,
    HideAndShow,
    Touch,
    JumpClock,
    Unmount,
    NewDirectory,
    OddFiles,
    CutUpload,
    Preallocate,
}

const HABITS: [Habit; 21] = [
    Habit::DropIn,
    Habit::WriteInPlace,
    Habit::Append,
    Habit::Truncate,
    Habit::Rewrite,
    Habit::RewriteSameSize,
    Habit::RewriteUnseen,
    Habit::Rename,
    Habit::Rotate,
    Habit::Copy,
    Habit::CopyInPlace,
    Habit::Delete,
    Habit::Recreate,
    Habit::HideAndShow,
    Habit::Touch,
    Habit::JumpClock,
    Habit::Unmount,
    Habit::NewDirectory,
    Habit::OddFiles,
    Habit::CutUpload,
    Habit::Preallocate,
];

const NAMES: [&str; 5] = ["a.csv", "b.csv.gz", "c.csv", "d.csv.gz", "1.a.csv"];
const SECOND_NS: i64 = 1_000_000_000;

impl Actor for Shop {
    fn act(&mut self, world: &mut World) {
        let begins = self.actions_left > 0 && (self.writers.is_empty() || world.one_in(3));
        if begins {
            self.actions_left -= 1;
            self.begin(world);
        } else if !self.writers.is_empty() {
            let writer = world.rng.usize(..self.writers.len());
            self.write(world, writer);
        } else {
            Self::mount(world);
            self.finish_cut(world);
        }
    }

    fn is_done(&self) -> bool {
        self.actions_left == 0 && self.writers.is_empty() && self.cut.is_none()
    }
}

impl Shop {
    pub(super) fn new(rng: &mut fastrand::Rng) -> Self {
        let share = rng.u32(1..=4);
        let mut habits: Vec<Habit> = HABITS.into_iter().filter(|_| rng.u32(..4) < share).collect();
        habits.extend([Habit::DropIn, Habit::WriteInPlace, Habit::Append]);
        Self {
            actions_left: rng.u32(3..40),
            habits,
            ..Self::default()
        }
    }

    fn write(&mut self, world: &mut World, at: usize) {
        let writer = &mut self.writers[at];
        if let Some(part) = writer.parts.pop_front() {
            match &mut writer.fill_at {
                Some(at) => {
                    world.fill(writer.node, *at, &part);
                    *at += part.len();
                }
                None => world.append(writer.node, &part),
            }
        }
        if writer.parts.is_empty() {
            let writer = self.writers.swap_remove(at);
            if writer.closes {
                world.closed(writer.node);
            }
            if let Some((from, to)) = writer.rename
                && world.data.get(&from) == Some(&writer.node)
            {
                world.rename(&from, &to);
            }
        }
    }

    fn mount(world: &mut World) {
        if let Some(files) = world.unmounted.take() {
            world.note("mount");
            world.data = files;
        }
    }

    fn begin(&mut self, world: &mut World) {
        let habit = self.habits[world.rng.usize(..self.habits.len())];
        if world.unmounted.is_some() {
            // While it is unmounted, nothing can happen but that it is mounted again.
            return Self::mount(world);
        }
        let name = NAMES[world.rng.usize(..NAMES.len())];
        let odd = self.habits.contains(&Habit::OddFiles) && world.one_in(3);
        let mut visible = world.visible();
        visible.retain(|name| !name.starts_with(CUT));
        let mut some = (!visible.is_empty()).then(|| visible[world.rng.usize(..visible.len())].clone());
        let rewrites = [
            Habit::Truncate,
            Habit::Rewrite,
            Habit::RewriteSameSize,
            Habit::RewriteUnseen,
        ];
        if rewrites.contains(&habit) && world.one_in(2) {
            // Preferably a file that is being read.
            let is_read = |name: &&String| world.nodes[world.data[*name]].readers > 0;
            some = visible.iter().find(is_read).cloned().or(some);
        }
        match (habit, some) {
            (Habit::DropIn, _) => {
                let bytes = self.file(world, odd);
                self.drop_in(world, name, bytes);
            }
            (Habit::WriteInPlace | Habit::OddFiles, _) => {
                let bytes = self.file(world, odd);
                let node = world.create(name);
                self.write_parts(world, node, bytes, None);
            }
            (Habit::Append, Some(some)) => {
                let node = world.data[&some];
                let bytes = self.more(world, odd);
                self.write_parts(world, node, bytes, None);
            }
            (Habit::Truncate, Some(some)) => {
                let node = world.data[&some];
                let mut bytes = world.bytes(node).to_vec();
                let mut len = world.rng.usize(..=bytes.len());
                if world.rng.bool() {
                    // At the end of a row.
                    len = bytes[..len]
                        .iter()
                        .rposition(|byte| *byte == b'\n')
                        .map_or(0, |at| at + 1);
                }
                bytes.truncate(len);
                world.rewrite(node, bytes);
            }
            (Habit::Rewrite, Some(some)) => {
                let node = world.data[&some];
                let bytes = self.file(world, odd);
                match world.rng.bool() {
                    true => world.rewrite(node, bytes),
                    false => {
                        world.rewrite(node, Vec::new());
                        self.write_parts(world, node, bytes, None);
                    }
                }
            }
            (Habit::RewriteSameSize | Habit::RewriteUnseen, Some(some)) => {
                let node = world.data[&some];
                let mut bytes = world.bytes(node).to_vec();
                // Replaces the last rows by others of the same length.
                let keep = world.rng.usize(..=bytes.len());
                while let Some(at) = find_row(&bytes, keep) {
                    let row = self.row(world, None);
                    bytes[at..at + ROW_BYTES].copy_from_slice(&row.as_bytes()[..ROW_BYTES]);
                    if world.rng.bool() {
                        break;
                    }
                }
                // From now on the new rows count as written.
                world.adopt(&bytes);
                let mtime = world.nodes[node].mtime_ns;
                world.rewrite(node, bytes);
                if habit == Habit::RewriteUnseen {
                    // Only the change time tells.
                    world.set_mtime(node, mtime);
                }
            }
            (Habit::Rename, Some(some)) => world.rename_unless_same(&some, name),
            (Habit::Rotate, _) => {
                for pair in NAMES[..4].windows(2).rev() {
                    if world.data.contains_key(pair[0]) {
                        world.rename(pair[0], pair[1]);
                    }
                }
            }
            (Habit::Copy, Some(some)) => {
                let bytes = world.bytes(world.data[&some]).to_vec();
                self.drop_in(world, name, bytes);
            }
            (Habit::CopyInPlace, Some(some)) if some != name => {
                let bytes = world.bytes(world.data[&some]).to_vec();
                let node = world.create(name);
                self.write_parts(world, node, bytes, None);
            }
            (Habit::Delete, Some(some)) => world.unlink(&some),
            (Habit::Recreate, Some(some)) => {
                let mut bytes = world.bytes(world.data[&some]).to_vec();
                world.unlink(&some);
                if world.rng.bool() {
                    bytes = self.file(world, odd);
                }
                let node = world.create(&some);
                match world.rng.bool() {
                    true => {
                        world.append(node, &bytes);
                        world.closed(node);
                    }
                    false => self.write_parts(world, node, bytes, None),
                }
            }
            (Habit::HideAndShow, Some(some)) => {
                let hidden: Option<String> = world.data.keys().find(|name| name.starts_with(".hidden.")).cloned();
                match hidden {
                    Some(hidden) => world.rename(&hidden, name),
                    None => world.rename(&some, &format!(".hidden.{some}")),
                }
            }
            (Habit::Touch, Some(some)) => {
                let back = world.rng.i64(-100..1_000) * SECOND_NS;
                let mtime = world.wall_ns() - back;
                world.set_mtime(world.data[&some], mtime);
            }
            (Habit::JumpClock, _) => {
                world.skew_ns += world.rng.i64(-60..60) * SECOND_NS;
                world.note("the clock jumps");
            }
            (Habit::Unmount, _) => {
                world.note("unmount");
                world.unmounted = Some(std::mem::take(&mut world.data));
            }
            (Habit::NewDirectory, _) => {
                world.note("the directory is made anew");
                for name in world.data.keys().cloned().collect::<Vec<_>>() {
                    world.unlink(&name);
                }
                world.directory += 1;
            }
            (Habit::CutUpload, _) => match self.cut.is_some() {
                true => self.finish_cut(world),
                false => self.cut_upload(world),
            },
            (Habit::Preallocate, _) => {
                let bytes = self.file(world, false);
                let name = self.name_of_upload();
                let node = world.create(&name);
                world.append(node, &vec![0; bytes.len()]);
                let writer = Writer {
                    fill_at: Some(0),
                    ..Writer::new(world, node, bytes)
                };
                self.start(world, writer);
            }
            _ => {}
        }
    }

    /// Begins an upload that breaks off somewhere; its client may close the file or not.
    fn cut_upload(&mut self, world: &mut World) {
        let (bytes, name) = (self.file(world, false), self.name_of_upload());
        // A file that ends behind a row counts as complete, and may be archived.
        let at = (1..bytes.len())
            .rev()
            .nth(world.rng.usize(..bytes.len() - 1))
            .unwrap_or(1);
        let at = if bytes[at - 1] == b'\n' { at - 1 } else { at };
        let node = world.create(&name);
        let writer = Writer {
            parts: [bytes[..at].to_vec()].into(),
            closes: world.rng.bool(),
            ..Writer::new(world, node, Vec::new())
        };
        self.start(world, writer);
        self.cut = Some(CutUpload { name, node, bytes, at });
    }

    /// Has the upload that broke off go on, or come again whole, unless it is still under way.
    fn finish_cut(&mut self, world: &mut World) {
        let is_writing = |cut: &mut CutUpload| self.writers.iter().any(|writer| writer.node == cut.node);
        let Some(cut) = self.cut.take_if(|cut| !is_writing(cut)) else {
            return;
        };
        let is_there = world.data.get(&cut.name) == Some(&cut.node);
        let way = world.rng.u32(..5);
        if way == 0 && is_there {
            world.note("the upload goes on");
            return self.write_parts(world, cut.node, cut.bytes[cut.at..].to_vec(), None);
        }
        world.note("the upload comes again");
        let before = world.nodes[cut.node].content;
        world.contents[before].is_superseded = true;
        match way {
            1 => self.drop_in(world, &cut.name, cut.bytes),
            2 => {
                world.unlink(&cut.name);
                let node = world.create(&cut.name);
                self.write_parts(world, node, cut.bytes, None);
            }
            3 => {
                let node = world.create(&cut.name);
                world.append(node, &cut.bytes);
                world.closed(node);
            }
            _ => {
                let node = world.create(&cut.name);
                self.write_parts(world, node, cut.bytes, None);
            }
        }
    }

    fn name_of_upload(&mut self) -> String {
        self.temporaries += 1;
        format!("{CUT}-{}.csv", self.temporaries)
    }

    fn drop_in(&mut self, world: &mut World, name: &str, bytes: Vec<u8>) {
        self.temporaries += 1;
        let temporary = format!(".{}.tmp", self.temporaries);
        let node = world.create(&temporary);
        match world.rng.bool() {
            true => {
                world.append(node, &bytes);
                world.rename(&temporary, name);
            }
            false => self.write_parts(world, node, bytes, Some((temporary, name.to_owned()))),
        }
    }

    /// Begins to write `bytes` in a few parts, cut anywhere.
    fn write_parts(&mut self, world: &mut World, node: usize, bytes: Vec<u8>, rename: Option<(String, String)>) {
        let writer = Writer {
            rename,
            ..Writer::new(world, node, bytes)
        };
        self.start(world, writer);
    }

    fn start(&mut self, world: &mut World, writer: Writer) {
        self.writers.push(writer);
        self.write(world, self.writers.len() - 1);
    }

    /// The content of a new file, with a header unless it is odd.
    fn file(&mut self, world: &mut World, odd: bool) -> Vec<u8> {
        let mut text = match odd.then(|| world.rng.u32(..6)) {
            Some(0) => return Vec::new(),
            Some(1) => return format!("{HEADER}\n").into_bytes(),
            Some(2) => "id,other\n".to_owned(),
            Some(3) => format!("\n\n{HEADER}\r\n"),
            _ => format!("{HEADER}\n"),
        };
        text.push_str(&String::from_utf8(self.more(world, odd)).unwrap());
        text.into_bytes()
    }

    /// A few rows.
    fn more(&mut self, world: &mut World, odd: bool) -> Vec<u8> {
        let mut text = String::new();
        for _ in 0..world.rng.u32(1..12) {
            let note = match odd.then(|| world.rng.u32(..12)) {
                Some(0) => Some("\"two\nlines\"".to_owned()),
                Some(1) => Some("one,too many".to_owned()),
                Some(2) => Some("\"never closed".to_owned()),
                _ => None,
            };
            text.push_str(&self.row(world, note));
            text.push_str(match odd && world.one_in(8) {
                true => "\r\n",
                false => "\n",
            });
            if odd && world.one_in(12) {
                text.push('\n');
            }
        }
        if world.one_in(4) {
            // The last row gets no line end.
            text.truncate(text.trim_end().len());
        }
        text.into_bytes()
    }

    fn row(&mut self, world: &mut World, note: Option<String>) -> String {
        let note = note.unwrap_or_else(|| "x".repeat(world.rng.usize(..8)));
        let id = world.rows.len();
        let row = format!("r{id:06},{},{note}", check(id));
        world.rows.push(row.clone());
        row
    }
}

impl World {
    /// Notes the rows whose beginning was replaced.
    fn adopt(&mut self, bytes: &[u8]) {
        for line in String::from_utf8_lossy(bytes).lines() {
            if let Some(id) = row_id(line.as_bytes())
                && !line.contains('"')
                && !self.rows[id].contains('"')
            {
                self.rows[id] = line.to_owned();
            }
        }
    }

    fn rename_unless_same(&mut self, from: &str, to: &str) {
        if from != to {
            self.rename(from, to);
        }
    }
}

/// The length of the part of a row that identifies it.
const ROW_BYTES: usize = "r000000,000,".len();

fn check(id: usize) -> String {
    format!("{:03}", id * 7_919 % 1_000)
}

/// The number of the row that the bytes begin with, if they do.
pub(super) fn row_id(row: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(row.get(..ROW_BYTES)?).ok()?;
    let id: usize = head.strip_prefix('r')?.get(..6)?.parse().ok()?;
    (head[7..] == format!(",{},", check(id))).then_some(id)
}

fn find_row(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find(|at| row_id(&bytes[*at..]).is_some())
}
