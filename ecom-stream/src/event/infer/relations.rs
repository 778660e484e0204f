//! How the values of two or three columns relate, row by row.

use std::collections::{HashMap, HashSet};

use super::column::Column;

/// Whether both columns have the same value in every row.
pub(super) fn same(a: &Column, b: &Column) -> bool {
    a.cells == b.cells
}

/// Whether both columns tell the rows apart in the same way, as a SKU and the number of the same product do. It can only be seen
/// if values come again.
pub(super) fn one_to_one(a: &Column, b: &Column) -> bool {
    a.distinct_count() < a.values.len() && alike(a, b)
}

/// Whether nothing tells that two columns tell the rows apart in different ways.
pub(super) fn alike(a: &Column, b: &Column) -> bool {
    a.gaps() == b.gaps() && depends(a, b) && depends(b, a)
}

/// Whether each value of `a` has one value of `b`.
pub(super) fn depends(a: &Column, b: &Column) -> bool {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    pairs(a, b).all(|(a, b)| *seen.entry(a).or_insert(b) == b)
}

/// How many values of `a` come with at least `count` values of `b`, and how many come in more than one row.
pub(super) fn shared(a: &Column, b: &Column, count: usize) -> (usize, usize) {
    let mut seen: HashMap<&str, (usize, HashSet<&str>)> = HashMap::new();
    for (a, b) in pairs(a, b) {
        let (rows, others) = seen.entry(a).or_default();
        *rows += 1;
        others.insert(b);
    }
    let several = seen.values().filter(|(_, others)| others.len() >= count).count();
    (several, seen.values().filter(|(rows, _)| *rows > 1).count())
}

/// The values of both columns in the rows in which both have one.
fn pairs<'a>(a: &'a Column, b: &'a Column) -> impl Iterator<Item = (&'a str, &'a str)> {
    let both = a.cells.iter().zip(&b.cells);
    both.filter(|(a, b)| !a.is_empty() && !b.is_empty())
        .map(|(a, b)| (a.as_str(), b.as_str()))
}
