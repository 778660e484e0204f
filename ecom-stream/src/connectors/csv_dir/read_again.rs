//! Files that are read again: another mapping has read them, and nothing of them was stored.

use std::collections::HashSet;

use super::mark::FileMark;
use super::uncommitted::Uncommitted;
use crate::contract::{Checkpoint, Position, Result, Split, SplitState};

/// The splits about which the ledger is asked. Most runs ask about none: only those whose mapping is another one than before.
#[derive(Debug, Default)]
pub(super) struct AskedAgain(Vec<Split>);

impl AskedAgain {
    /// Asks whether a split is read again, unless `mapping` has read it.
    pub(super) fn ask_about(&mut self, position: &Position, mapping: Option<&str>) {
        let may_be = match position.state {
            SplitState::Open | SplitState::Finished | SplitState::Damaged(_) => position.record > 0,
            // A file that was set aside is tried again by another rule, and one that was withdrawn has been read again.
            SplitState::SetAside(_) | SplitState::Withdrawn => false,
        };
        if may_be && is_of_another_mapping(position, mapping) {
            self.0.push(position.split.clone());
        }
    }

    /// Those of the splits that are read again.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub(super) async fn answer(mut self, from: &Checkpoint, uncommitted: &Uncommitted) -> Result<HashSet<Split>> {
        // Before the query: what is committed meanwhile is then in the answer of the ledger.
        self.0.retain(|split| !uncommitted.has_split(split));
        match self.0.is_empty() {
            true => Ok(HashSet::new()),
            false => Ok(from.nothing_stored(&self.0).await?.into_iter().collect()),
        }
    }
}

/// Whether another mapping has read up to a position, or none where there is one now.
pub(super) fn is_of_another_mapping(position: &Position, mapping: Option<&str>) -> bool {
    // For most files the text of the mark tells, and it need not be parsed.
    let may_be = position.mark.as_json().is_some_and(|mark| match mapping {
        Some(mapping) => !mark.contains(mapping),
        None => mark.contains("\"mapped\""),
    });
    let read_by = |mark: &FileMark| mark.mapped.then(|| mark.mapping.clone().unwrap_or_default());
    may_be && FileMark::of(position).is_some_and(|mark| read_by(&mark).as_deref() != mapping)
}
