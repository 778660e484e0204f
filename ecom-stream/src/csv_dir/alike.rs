use std::collections::HashSet;

use super::mark::FileMark;
use super::uncommitted::Uncommitted;
use crate::{Checkpoint, Position, Result, SplitState};

/// How many files that wait are asked about at once.
pub(super) const ASKED_AT_ONCE: usize = 256;

/// Splits that a file of a new name may turn out to be: those that are not finished, and those with as many bytes.
///
/// The ledger is asked about some sizes at a time. Until it is asked again, what this source finishes is added: nobody else
/// changes the ledger.
#[derive(Debug, Default)]
pub(super) struct Alike {
    sizes: HashSet<u64>,
    splits: Vec<Position>,
}

impl Alike {
    /// Splits that a new file of `size` bytes may be. `waiting` are the sizes of files that will be asked about next.
    pub(super) async fn to(
        &mut self,
        size: u64,
        waiting: impl Iterator<Item = u64>,
        source: &str,
        from: &Checkpoint,
        uncommitted: &Uncommitted,
    ) -> Result<Vec<Position>> {
        if !self.sizes.contains(&size) {
            self.sizes = waiting.take(ASKED_AT_ONCE).chain([size]).collect();
            self.splits.clear();
            // In this order: what leaves here meanwhile is in the ledger by then.
            let given_out = uncommitted.all();
            let sizes: Vec<u64> = self.sizes.iter().copied().collect();
            for position in from.alike(source, &sizes).await? {
                self.add(position);
            }
            for position in given_out {
                self.add(position);
            }
        }
        let fits = |position: &&Position| position.state != SplitState::Finished || position.offset == size;
        Ok(self.splits.iter().filter(fits).cloned().collect())
    }

    /// Takes note of how far a split was read.
    pub(super) fn add(&mut self, position: Position) {
        self.splits.retain(|known| known.split != position.split);
        let is_asked_for = match position.state {
            SplitState::Finished => {
                self.sizes.contains(&position.offset)
                    && FileMark::of(&position).is_some_and(|mark| mark.renamed_to.is_none())
            }
            SplitState::Open | SplitState::Damaged(_) => true,
            SplitState::SetAside(_) => false,
        };
        if is_asked_for {
            self.splits.push(position);
        }
    }
}
