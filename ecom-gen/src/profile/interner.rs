//! Numbers for texts.

use std::collections::hash_map::Entry;
use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};

/// Assigns numbers to texts, beginning with 0. It keeps only a hash of each text: with 10 million texts, the
/// probability that two of them get the same number is 3 in a million.
#[derive(Debug, Default)]
pub(super) struct Interner(FxHashMap<u64, u32>);

/// The number of a text, and whether it is new.
pub(super) struct Interned {
    pub(super) number: u32,
    pub(super) is_new: bool,
}

impl Interner {
    pub(super) fn number(&mut self, text: &str) -> Interned {
        let next = self.0.len() as u32;
        let mut hasher = FxHasher::default();
        hasher.write(text.as_bytes());
        match self.0.entry(hasher.finish()) {
            Entry::Occupied(known) => Interned {
                number: *known.get(),
                is_new: false,
            },
            Entry::Vacant(new) => Interned {
                number: *new.insert(next),
                is_new: true,
            },
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_up() {
        let mut interner = Interner::default();
        let numbers = ["a", "b", "a", "", "b"].map(|text| interner.number(text).number);
        assert_eq!((numbers, interner.len()), ([0, 1, 0, 2, 1], 3));
        assert!(interner.number("c").is_new && !interner.number("c").is_new);
    }
}
