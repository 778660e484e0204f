//! Files with a fault.

use super::kind::FaultKind;
use super::shares::Dirt;
use crate::random::{Purpose, Seed, mix};

impl Dirt {
    /// The fault of the file with this number, if it has one.
    ///
    /// Two files that are rewritten or have no rows never follow each other: the rows of an empty file go into the next
    /// one, and a file is rewritten when the next one is written.
    pub(crate) fn fault_of_file(&self, seed: Seed, file: u64) -> Option<FaultKind> {
        if !self.has_file_faults() {
            return None;
        }
        let drawn = |file: u64| self.draw(FaultKind::OF_FILES, mix(seed.of(Purpose::File, file)));
        let is_alone = |kind: &FaultKind| {
            matches!(
                kind,
                FaultKind::EmptyFile | FaultKind::HeaderOnly | FaultKind::Rewritten
            )
        };
        let before = file.checked_sub(1).and_then(drawn).filter(is_alone);
        drawn(file).filter(|kind| !is_alone(kind) || before.is_none())
    }
}

/// Appends the line, with its end, without one of its columns 1 to 4, which come before any quote.
pub(crate) fn without_column(line: &[u8], column: usize, out: &mut Vec<u8>) {
    let mut commas = line
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b',')
        .map(|(at, _)| at);
    let start = commas.nth(column - 1).map_or(line.len(), |at| at + 1);
    let end = commas.next().map_or(line.len(), |at| at + 1);
    out.extend_from_slice(&line[..start]);
    out.extend_from_slice(&line[end..]);
}

/// The column that a file lacks: one of the required columns.
pub(crate) fn missing_column(seed: Seed, file: u64) -> usize {
    1 + (mix(seed.of(Purpose::File, file) ^ 1) % 4) as usize
}

/// The beginning of a line, cut off before any quote, with fewer fields than the whole line.
pub(crate) fn torn_line(line: &[u8], seed: Seed, file: u64) -> &[u8] {
    // The first five fields have no quote and are longer than this.
    const MOST_BYTES: u64 = 90;
    let len = 1 + mix(seed.of(Purpose::File, file) ^ 2) % MOST_BYTES;
    &line[..line.len().min(len as usize)]
}

/// Appends the line with a quote before its last field.
pub(crate) fn with_open_quote(line: &[u8], out: &mut Vec<u8>) {
    let last = line.iter().rposition(|byte| *byte == b',').map_or(0, |at| at + 1);
    out.extend_from_slice(&line[..last]);
    out.push(b'"');
    out.extend_from_slice(&line[last..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_need_the_next_file_never_follow_each_other() {
        for dirt in [
            Dirt::heavy(),
            Dirt {
                empty_file: 1.0,
                ..Dirt::none()
            },
            Dirt {
                rewritten: 0.5,
                header_only: 0.5,
                ..Dirt::none()
            },
        ] {
            let kinds: Vec<_> = (1..2_000).map(|file| dirt.fault_of_file(Seed(3), file)).collect();
            let alone = [FaultKind::EmptyFile, FaultKind::HeaderOnly, FaultKind::Rewritten];
            let is_alone = |kind: &Option<FaultKind>| kind.is_some_and(|kind| alone.contains(&kind));
            assert!(!kinds.windows(2).any(|pair| pair.iter().all(is_alone)));
        }
        let heavy: Vec<_> = (1..2_000)
            .filter_map(|file| Dirt::heavy().fault_of_file(Seed(3), file))
            .collect();
        assert!(FaultKind::OF_FILES.iter().all(|kind| heavy.contains(kind)));
        assert_eq!(Dirt::none().fault_of_file(Seed(3), 1), None);
    }

    #[test]
    fn lines_get_their_faults() {
        let line = b"id,time,view,u,s,p,\"a, b\",,,1.00,2\n";
        let mut out = Vec::new();
        without_column(line, 1, &mut out);
        assert_eq!(out, b"id,view,u,s,p,\"a, b\",,,1.00,2\n");
        out.clear();
        without_column(line, 4, &mut out);
        assert_eq!(out, b"id,time,view,u,p,\"a, b\",,,1.00,2\n");
        out.clear();
        with_open_quote(line, &mut out);
        assert_eq!(out, b"id,time,view,u,s,p,\"a, b\",,,1.00,\"2\n");
        let lens: Vec<usize> = (0..500)
            .map(|file| torn_line(&[b'x'; 200], Seed(1), file).len())
            .collect();
        assert_eq!((lens.iter().min(), lens.iter().max()), (Some(&1), Some(&90)));
        let columns: Vec<usize> = (0..100).map(|file| missing_column(Seed(1), file)).collect();
        assert_eq!((columns.iter().min(), columns.iter().max()), (Some(&1), Some(&4)));
    }
}
