//! The model: what must be in the sink for the files that there were.

use std::collections::BTreeMap;
use std::io::Cursor;

use super::super::mark::FileMark;
use super::shop::{HEADER, row_id};
use super::sink::SimSink;
use super::world::{Content, World, lock};
use crate::connectors::csv_dir::UnterminatedRecord;
use crate::contract::{Origin, Position, Reason, Split, SplitState};
use crate::csv::{Columns, CsvLimits, CsvReader, Dialect, End, HeaderStep, to_path};

/// The columns of the files that the shop writes.
pub(super) fn columns() -> Columns {
    Columns::new(HEADER.split(','), ["id", "check"])
}

/// What the content of a file is when it is parsed at once.
struct ParsedFile {
    /// The offset and the bytes of each record.
    records: Vec<(u64, Vec<u8>)>,
    is_set_aside: bool,
    is_damaged: bool,
    /// Whether the last line has no end.
    is_unterminated: bool,
}

async fn parse(bytes: &[u8]) -> ParsedFile {
    let mut parsed = ParsedFile {
        records: Vec::new(),
        is_set_aside: false,
        is_damaged: false,
        is_unterminated: false,
    };
    let columns = columns();
    let opened = CsvReader::open(
        Cursor::new(bytes),
        Split::new("model", ""),
        CsvLimits::default(),
        Dialect::default(),
        &columns,
    );
    let (mut reader, header) = opened.await.unwrap();
    match header.refuse_wrong_encoding() {
        HeaderStep::Empty => return parsed,
        HeaderStep::Found { check: Err(_), .. } => {
            parsed.is_set_aside = true;
            return parsed;
        }
        HeaderStep::Found { whole: false, .. } => {
            parsed.is_unterminated = true;
            return parsed;
        }
        HeaderStep::Found { .. } => {}
    }
    loop {
        let mut step = reader.step().await.unwrap();
        let mut end = step.end.take();
        let mut take = |step: &crate::csv::Step| {
            let records = step.records.iter().filter_map(|record| record.origin.as_ref());
            let rejects = step.rejects.iter().filter_map(|reject| reject.origin.as_ref());
            let origins = records.chain(rejects);
            parsed
                .records
                .extend(origins.map(|origin| (origin.byte_offset, origin.raw.to_vec())));
        };
        take(&step);
        if end == Some(End::Tail) {
            parsed.is_unterminated = true;
            let mut tail = reader.take_tail();
            end = tail.end.take();
            take(&tail);
        }
        match end {
            None => {}
            Some(End::Damaged(_)) => {
                parsed.is_damaged = true;
                return parsed;
            }
            Some(_) => return parsed,
        }
    }
}

/// Compares the records in the sink with those in the files, after the last run.
pub(super) async fn check(sink: &SimSink, removes: bool, unterminated: UnterminatedRecord) {
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
        nothing_is_invented(&mut world, &origins, unterminated);
        nothing_is_doubled(&mut world, &origins);
    }
    let (files, taken) = {
        let world = lock(&sink.world);
        let files: Vec<(String, usize)> = world
            .visible()
            .into_iter()
            .map(|name| (name.clone(), world.data[&name]))
            .collect();
        (files, world.removed.clone())
    };
    for (name, node) in files {
        let (bytes, stat, is_ambiguous) = {
            let world = lock(&sink.world);
            let stat = world.stat(node);
            (world.bytes(node).to_vec(), stat, world.is_ambiguous(stat))
        };
        // A source cannot see that the content changed if size, modification time and inode are the same.
        if is_ambiguous {
            continue;
        }
        let parsed = parse(&bytes).await;
        let position = newest(sink, &name);
        let mut world = lock(&sink.world);
        let Some(position) = position else {
            world.broken(format!("{name} was never read"));
            continue;
        };
        let mark = FileMark::of(&position).unwrap();
        let until = usize::try_from(position.offset).unwrap();
        let broke_off = mark.waits_for_line_end
            || mark.unterminated
            || position
                .state
                .refusal()
                .is_some_and(|refusal| refusal.reason == Reason::UNTERMINATED_QUOTE);
        if broke_off && stat.size < mark.stat.size && mark.stat != stat {
            // It may be coming again: it is left alone for an hour.
            continue;
        }
        let is_of_it = bytes
            .get(..until)
            .is_some_and(|read| blake3::hash(read).to_hex().as_str() == mark.digest);
        if mark.stat != stat || !is_of_it {
            world.broken(format!(
                "{name} was not read as it is now: {position:?} where it is {stat:?}"
            ));
            continue;
        }
        let is_right = match &position.state {
            SplitState::Open => {
                mark.waits_for_line_end && unterminated == UnterminatedRecord::Wait && parsed.is_unterminated
            }
            SplitState::Finished => {
                let is_whole = until == bytes.len() || parsed.records.is_empty();
                is_whole && !parsed.is_set_aside && !parsed.is_damaged
            }
            SplitState::SetAside(_) => parsed.is_set_aside,
            SplitState::Damaged(_) => parsed.is_damaged,
            // It is a copy of what was read again.
            SplitState::Withdrawn => false,
        };
        if !is_right {
            world.broken(format!("{name} came to a wrong end: {position:?}"));
        }
        if removes && position.state == SplitState::Finished {
            world.broken(format!("{name} is finished and still there"));
        }
        let is_torn = |at: u64| position.offset < at + 1;
        for record in parsed.records.iter().filter(|(at, _)| !is_torn(*at)) {
            // A last record that was accepted without a line end is stored as it was then, and the rest is a reject.
            let rest_waits = mark.waits_for_line_end && mark.unterminated && is_begun(&stored, record);
            let is_stored = stored.contains_key(record) || is_in_two(&stored, record) || rest_waits;
            if !is_stored {
                world.broken(format!("{name}: {:?} is lost", String::from_utf8_lossy(&record.1)));
            }
        }
    }
    for (bytes, is_committed) in taken {
        let parsed = parse(&bytes).await;
        // A file that has only a header without a line end is finished at offset 0.
        if parsed.is_set_aside || !is_committed && !parsed.records.is_empty() {
            lock(&sink.world).broken(format!(
                "{:?} was taken away before it was committed",
                String::from_utf8_lossy(&bytes)
            ));
        }
        for record in parsed.records {
            if !stored.contains_key(&record) && !is_in_two(&stored, &record) && !is_read_whole(&stored, &record) {
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
    let durable = sink.durable.lock().unwrap();
    let mut of_path = durable.last.values().filter(|position| position.split.path() == path);
    of_path.next_back().cloned()
}

/// Whether the beginning of the record was stored.
fn is_begun(stored: &BTreeMap<(u64, Vec<u8>), usize>, (at, raw): &(u64, Vec<u8>)) -> bool {
    let mut begun = stored.range((*at, Vec::new())..(*at + 1, Vec::new()));
    begun.any(|((_, taken), _)| raw.starts_with(taken))
}

/// Whether half a record was read again as a whole one: by another mapping, after the upload of its file had come again.
fn is_read_whole(stored: &BTreeMap<(u64, Vec<u8>), usize>, (at, raw): &(u64, Vec<u8>)) -> bool {
    let mut begun = stored.range((*at, Vec::new())..(*at + 1, Vec::new()));
    begun.any(|((_, whole), _)| whole.starts_with(raw))
}

/// Whether the record was stored in parts, one behind the other.
fn is_in_two(stored: &BTreeMap<(u64, Vec<u8>), usize>, (at, raw): &(u64, Vec<u8>)) -> bool {
    let mut begun = stored.range((*at, Vec::new())..(*at + 1, Vec::new()));
    begun.any(|((_, taken), _)| {
        let rest = (*at + taken.len() as u64, raw[taken.len().min(raw.len())..].to_vec());
        raw.starts_with(taken) && !taken.is_empty() && (stored.contains_key(&rest) || is_in_two(stored, &rest))
    })
}

/// Whether some file had these bytes at the offset of the record, followed by a line end, or by the end of the file if that
/// counts: half a record must not be taken for a whole one.
fn stood(world: &World, origin: &Origin, unterminated: UnterminatedRecord) -> bool {
    let (from, raw) = (origin.byte_offset as usize, &origin.raw[..]);
    let to = from + raw.len();
    world.contents.iter().any(|content| {
        let may_end = match unterminated {
            UnterminatedRecord::Store => true,
            UnterminatedRecord::Wait => content.renamed_at.is_some_and(|at| at <= to),
        };
        let ends = matches!(content.bytes.get(to), Some(b'\r' | b'\n')) || may_end && content.lengths.contains(&to);
        ends && content.bytes.get(from..to) == Some(raw)
    })
}

/// Every record was in a file, also if the file was rewritten while it was read.
fn nothing_is_invented(world: &mut World, origins: &[Origin], unterminated: UnterminatedRecord) {
    for origin in origins {
        if !stood(world, origin, unterminated) {
            world.broken(format!(
                "{:?} at {} of {} never stood in a file",
                String::from_utf8_lossy(&origin.raw),
                origin.byte_offset,
                origin.split
            ));
        }
    }
}

/// Every row is stored at most as often as it was written, plus the number of times that `Content::excused` allows.
fn nothing_is_doubled(world: &mut World, origins: &[Origin]) {
    let mut allowed = vec![0; world.rows.len()];
    // If the ledger does not have yet that the file waits, its next upload is not waited for.
    let counts = |content: &&Content| !content.is_superseded || world.is_interrupted;
    for content in world.contents.iter().filter(counts) {
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
            && stood(world, origin, UnterminatedRecord::Store)
        {
            found[id].push(format!("{} record {}", origin.split, origin.record));
        }
    }
    // If getting metadata failed, a renamed file could not be recognized.
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
