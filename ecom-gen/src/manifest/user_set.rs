//! A set of user ids.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// A set of user ids.
pub(crate) type UserSet = HashSet<u64, BuildHasherDefault<UserHasher>>;

/// A cheap hash function. Simulated user ids are well distributed already, and nobody chooses them to collide.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UserHasher(u64);

impl Hasher for UserHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = (self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
