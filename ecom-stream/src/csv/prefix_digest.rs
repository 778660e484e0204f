//! The digest of everything before an offset, of which parts can be checked without reading all of it again.

use std::mem;

/// The BLAKE3 digest of the first bytes of something that is read from its start on.
///
/// It can be cloned and continued. It also remembers enough to check the ends of what it stands for:
///
/// ```text
///  0         BLOCK                      near                len
///  ├─ first ──┤ ……………………………………… ├──── last blocks ────┤
/// ```
#[derive(Debug, Clone, Default)]
pub(crate) struct PrefixDigest {
    so_far: Checkpoint,
    /// The digest of the first [`BLOCK`] bytes, once there are as many.
    first: Option<blake3::Hash>,
    /// At the end of a block, and at least one block before `so_far`, or at the start.
    near: Checkpoint,
    /// At the end of the last whole block.
    last_block: Checkpoint,
}

/// The digest of a number of bytes, from which it can go on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checkpoint {
    len: u64,
    /// In a box, because it has 2 kB, and the futures that hold it are moved.
    hasher: Box<blake3::Hasher>,
}

/// The number of bytes that are checked at each end.
pub(crate) const BLOCK: u64 = 64 << 10;

impl PrefixDigest {
    /// Adds the bytes that follow.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = BLOCK - self.so_far.len % BLOCK;
            let now = room.min(bytes.len() as u64) as usize;
            self.so_far.update(&bytes[..now]);
            bytes = &bytes[now..];
            if self.so_far.len.is_multiple_of(BLOCK) {
                if self.so_far.len == BLOCK {
                    self.first = Some(self.so_far.hash());
                }
                self.near = mem::replace(&mut self.last_block, self.so_far.clone());
            }
        }
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.so_far.len
    }

    /// The digest of all bytes.
    pub(crate) fn hash(&self) -> blake3::Hash {
        self.so_far.hash()
    }

    /// The digest of the first [`BLOCK`] bytes; `None` if there are fewer.
    pub(crate) fn first(&self) -> Option<blake3::Hash> {
        self.first
    }

    /// A digest of all bytes but the last, of which there are one to two blocks, or all if there are not as many.
    pub(crate) fn near(&self) -> &Checkpoint {
        &self.near
    }
}

impl Checkpoint {
    /// Adds the bytes that follow.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The digest of the bytes.
    pub(crate) fn hash(&self) -> blake3::Hash {
        self.hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_digest_of_all_bytes_however_they_come() {
        let bytes: Vec<u8> = (0..5 * BLOCK + 77).map(|n| ((n * n) >> 7) as u8).collect();
        for piece in [1_000, BLOCK as usize, 3 * BLOCK as usize + 1] {
            let mut digest = PrefixDigest::default();
            let mut len = 0;
            for piece in bytes.chunks(piece) {
                digest.update(piece);
                len += piece.len();
                assert_eq!((digest.len(), digest.hash()), (len as u64, blake3::hash(&bytes[..len])));
                let first = bytes.get(..BLOCK as usize).filter(|_| len as u64 >= BLOCK);
                assert_eq!(digest.first(), first.map(blake3::hash));
                // The checkpoint is that of a prefix, and between it and the end there are one to two blocks.
                let near = digest.near();
                assert_eq!(near.hash(), blake3::hash(&bytes[..near.len() as usize]));
                let behind = len as u64 - near.len();
                assert!(
                    behind < 2 * BLOCK && behind >= BLOCK.min(len as u64),
                    "{behind} of {len}"
                );
                let mut rest = near.clone();
                rest.update(&bytes[near.len() as usize..len]);
                assert_eq!(rest.hash(), digest.hash());
            }
        }
    }
}
