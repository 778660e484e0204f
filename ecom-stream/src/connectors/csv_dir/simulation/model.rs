use std::collections::BTreeMap;
use std::io::Cursor;

use super::super::mark::FileMark;
use super::shop::{HEADER, row_id};
use super::sink::SimSink;
use super::world::{World, lock};
use crate::contract::{Origin, Position, Reason, Split, SplitState};
use crate::csv::{Columns, CsvLimits, CsvReader, Dialect, End, HeaderStep, to_path};

/// The columns that the files of the shop have.
pub(super) fn columns() -> Columns {
    Columns::new(HEADER.split(','), ["id", "check"])
}

/// What one content is, read at a go.
struct Reading {
    /// Where each record is, and what stands there.
    records: Vec<(u64, Vec<u8>)>,
    is_set_aside: bool,
    is_damaged: bool,
}

async fn read(bytes: &[u8]) -> Reading {
    let mut reading = Reading {
        records: Vec::new(),
        is_set_aside: false,
        is_damaged: false,
    };
    let mut reader = CsvReader::new(
        Cursor::new(bytes),
        Split::new("model", ""),
        CsvLimits::default(),
        Dialect::default(),
    );
    match reader.read_header(&columns()).await.unwrap() {
        HeaderStep::Empty => return reading,
        HeaderStep::Found { check: Err(_), .. } => {
            reading.is_set_aside = true;
            return reading;
        }
        HeaderStep::Found { whole: false, .. } => return reading,
        HeaderStep::Found { .. } => {}
    }
    loop {
        let mut step = reader.step().await.unwrap();
        let mut end = step.end.take();
        let mut take = |step: &crate::csv::Step| {
            let records = step.records.iter().filter_map(|record| record.origin.as_ref());
            let rejects = step.rejects.iter().filter_map(|reject| reject.origin.as_ref());
            let origins = records.chain(rejects);
            reading
                .records
                .extend(origins.map(|origin| (origin.byte_offset, origin.raw.to_vec())));
        };
        take(&step);
        if end == Some(End::Tail) {
            let mut tail = reader.take_tail();
            end = tail.end.take();
            take(&tail);
        }
        match end {
            None => {}
            Some(End::Damaged(_)) => {
                reading.is_damaged = true;
                return reading;
            }
            Some(_) => return reading,
        }
    }
}

/// Holds what is in the store against what was in the files, once everything has come to rest.
pub(super) async fn check(sink: &SimSink, removes: bool) {
    let origins: Vec<Origin> = {
        let records = sink.store.records().into_iter().filter_map(|record| record.origin);
        let rejects = sink.store.rejects().into_iter().filter_map(|reject| reject.origin);
        records.chain(rejects).collect()
    };
    let mut stored: BTreeMap<(u64, Vec<u8>), usize> = BTreeMap::new();
    for origin in &origins {
        *stored.entry((origin.byte_offset, origin.raw.to_vec())).or_default() += 1;
    }
    {
        let mut world = lock(&sink.world);
        nothing_is_invented(&mut world, &origins);
        nothing_is_doubled(&mut world, &origins);
    }
    let (files, taken) = {
        let world = lock(&sink.world);
        let files: Vec<(String, usize)> = world
            .visible()
            .into_iter()
            .map(|name| (name.clone(), world.data[&name]))
            .collect();
        (files, world.taken.clone())
    };
    for (name, node) in files {
        let (bytes, stamp, is_ambiguous) = {
            let world = lock(&sink.world);
            let stamp = world.stamp(node);
            (world.bytes(node).to_vec(), stamp, world.is_ambiguous(stamp))
        };
        // Another content with the same size, time and inode can't be seen.
        if is_ambiguous {
            continue;
        }
        let reading = read(&bytes).await;
        let position = newest(sink, &name);
        let mut world = lock(&sink.world);
        let Some(position) = position else {
            world.broken(format!("{name} was never read"));
            continue;
        };
        let mark = FileMark::of(&position).unwrap();
        let until = usize::try_from(position.offset).unwrap();
        let is_of_it = bytes
            .get(..until)
            .is_some_and(|read| blake3::hash(read).to_hex().as_str() == mark.digest);
        if mark.stamp != stamp || !is_of_it {
            world.broken(format!(
                "{name} was not read as it is now: {position:?} where it is {stamp:?}"
            ));
            continue;
        }
        let is_right = match &position.state {
            SplitState::Open => false,
            SplitState::Finished => {
                let is_whole = until == bytes.len() || reading.records.is_empty();
                is_whole && !reading.is_set_aside && !reading.is_damaged
            }
            SplitState::SetAside(_) => reading.is_set_aside,
            SplitState::Damaged(refusal) if refusal.reason == Reason::GREW_MID_RECORD => {
                mark.unterminated && !matches!(bytes[until], b'\r' | b'\n')
            }
            SplitState::Damaged(_) => reading.is_damaged,
        };
        if !is_right {
            world.broken(format!("{name} came to a wrong end: {position:?}"));
        }
        if removes && position.state == SplitState::Finished {
            world.broken(format!("{name} is finished and still there"));
        }
        let is_torn = |at: u64| position.offset < at + 1;
        for record in reading.records.iter().filter(|(at, _)| !is_torn(*at)) {
            // A last record that was taken without a terminator stands as it was then.
            let is_stored = stored.contains_key(record) || mark.unterminated && is_begun(&stored, record);
            if !is_stored {
                world.broken(format!("{name}: {:?} is lost", String::from_utf8_lossy(&record.1)));
            }
        }
    }
    for (bytes, is_committed) in taken {
        let reading = read(&bytes).await;
        // A header without a line end is finished at its start.
        if reading.is_set_aside || !is_committed && !reading.records.is_empty() {
            lock(&sink.world).broken(format!(
                "{:?} was taken away before it was committed",
                String::from_utf8_lossy(&bytes)
            ));
        }
        for record in reading.records {
            if !stored.contains_key(&record) {
                let mut world = lock(&sink.world);
                world.broken(format!(
                    "{:?} was taken away and is lost",
                    String::from_utf8_lossy(&record.1)
                ));
            }
        }
    }
    let mut world = lock(&sink.world);
    let aside: Vec<String> = world
        .data
        .keys()
        .filter(|name| name.starts_with(".ecom"))
        .cloned()
        .collect();
    if !aside.is_empty() {
        world.broken(format!("{aside:?} was left aside"));
    }
    let counts = sink.store.counts();
    if !counts.is_balanced() {
        world.broken(format!("unbalanced: {counts:?}"));
    }
}

fn newest(sink: &SimSink, name: &str) -> Option<Position> {
    let path = to_path(name.as_ref());
    let books = sink.books.lock().unwrap();
    let mut of_path = books.last.values().filter(|position| position.split.path() == path);
    of_path.next_back().cloned()
}

fn is_begun(stored: &BTreeMap<(u64, Vec<u8>), usize>, (at, raw): &(u64, Vec<u8>)) -> bool {
    let mut begun = stored.range((*at, Vec::new())..(*at + 1, Vec::new()));
    begun.any(|((_, taken), _)| raw.starts_with(taken))
}

/// Whether a record stood where it says, with an end behind it or as the last.
fn stood(world: &World, origin: &Origin) -> bool {
    let (from, raw) = (origin.byte_offset as usize, &origin.raw[..]);
    let to = from + raw.len();
    world.contents.iter().any(|content| {
        let ends = matches!(content.bytes.get(to), Some(b'\r' | b'\n')) || content.lengths.contains(&to);
        ends && content.bytes.get(from..to) == Some(raw)
    })
}

/// Each record stood in a file, but for those of a file that was rewritten while it was read.
fn nothing_is_invented(world: &mut World, origins: &[Origin]) {
    for origin in origins {
        if !stood(world, origin) && !world.is_mixed(origin.split.path()) {
            world.broken(format!(
                "{:?} at {} of {} never stood in a file",
                String::from_utf8_lossy(&origin.raw),
                origin.byte_offset,
                origin.split
            ));
        }
    }
}

/// Each row is there at most as often as it was written, and once more for what `Content::excused` says.
fn nothing_is_doubled(world: &mut World, origins: &[Origin]) {
    let mut allowed = vec![0; world.rows.len()];
    for content in &world.contents {
        for (id, row) in rows_in(&content.bytes) {
            if row.starts_with(world.rows[id].as_bytes()) {
                allowed[id] += 1 + content.excused;
            }
        }
    }
    let mut found: Vec<Vec<String>> = vec![Vec::new(); allowed.len()];
    for origin in origins {
        if let Some(id) = row_id(&origin.raw)
            && origin.raw == world.rows[id].as_bytes()
            && stood(world, origin)
        {
            found[id].push(format!("{} record {}", origin.split, origin.record));
        }
    }
    // Where looking itself failed nobody could know a renamed file again.
    for id in 0..allowed.len() {
        if found[id].len() > allowed[id] && !world.looks_failed {
            world.broken(format!(
                "{:?} is stored {} times and was written {}: {:?}",
                world.rows[id],
                found[id].len(),
                allowed[id],
                found[id]
            ));
        }
    }
}

fn rows_in(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (0..bytes.len()).filter_map(|at| row_id(&bytes[at..]).map(|id| (id, &bytes[at..])))
}
