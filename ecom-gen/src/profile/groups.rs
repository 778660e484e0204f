//! Groups of rows, such as those of a session or of a user.

use super::events::Row;

/// Rows in groups, such as those of a session or of a user. The rows of a group are in the order of their times.
#[derive(Debug)]
pub(super) struct Groups<'a> {
    rows: &'a [Row],
    starts: Vec<u32>,
    order: Vec<u32>,
}

impl<'a> Groups<'a> {
    /// Groups `rows` by a number below `groups`, with a counting sort.
    pub(super) fn new(rows: &'a [Row], groups: usize, number: impl Fn(&Row) -> u32) -> Self {
        let mut ends = vec![0_u32; groups + 1];
        for row in rows {
            ends[number(row) as usize + 1] += 1;
        }
        for group in 0..groups {
            ends[group + 1] += ends[group];
        }
        let starts = ends.clone();
        let mut order = vec![0; rows.len()];
        for (index, row) in (0..).zip(rows) {
            let end = &mut ends[number(row) as usize];
            order[*end as usize] = index;
            *end += 1;
        }
        for bounds in starts.windows(2) {
            order[bounds[0] as usize..bounds[1] as usize].sort_by_key(|&index| rows[index as usize].micros);
        }
        Self { rows, starts, order }
    }

    /// The groups that are not empty.
    pub(super) fn iter(&self) -> impl Iterator<Item = Group<'_>> {
        self.starts
            .windows(2)
            .map(|bounds| &self.order[bounds[0] as usize..bounds[1] as usize])
            .filter(|order| !order.is_empty())
            .map(|order| Group { rows: self.rows, order })
    }
}

/// The rows of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    rows: &'a [Row],
    order: &'a [u32],
}

impl<'a> Group<'a> {
    pub(super) fn len(self) -> usize {
        self.order.len()
    }

    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = &'a Row> + ExactSizeIterator + Clone {
        self.order.iter().map(|&index| &self.rows[index as usize])
    }

    /// Each row with the next one.
    pub(super) fn pairs(self) -> impl Iterator<Item = (&'a Row, &'a Row)> {
        self.iter().zip(self.iter().skip(1))
    }

    /// The microseconds from the first row to the last.
    pub(super) fn span(self) -> i64 {
        match (self.iter().next(), self.iter().next_back()) {
            (Some(first), Some(last)) => last.micros - first.micros,
            _ => 0,
        }
    }
}
