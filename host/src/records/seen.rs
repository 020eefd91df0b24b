//! Was this there before? In bounded memory.

use foldhash::fast::RandomState;
use std::collections::HashSet;

/// How many identities are kept: the table that holds them takes some 285 MB, and 430 MB while it grows to that.
const MOST: usize = 14_680_064;

/// Identities of rows, as hashes of 128 bits: two different ones share a hash with a chance of 1e-24.
#[derive(Debug, Default)]
pub struct Seen {
    hashes: HashSet<u128, RandomState>,
    unchecked: u64,
}

impl Seen {
    /// Whether an identity, given by its parts, is new. Beyond 14.7 million a new one is not kept, and counted as unchecked.
    pub fn is_new(&mut self, parts: &[&str]) -> bool {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut half = [0; 16];
        half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        let hash = u128::from_le_bytes(half);
        if self.hashes.len() < MOST {
            return self.hashes.insert(hash);
        }
        if self.hashes.contains(&hash) {
            return false;
        }
        self.unchecked += 1;
        true
    }

    /// Rows after the table was full: checked against those that it holds, not against each other.
    pub fn unchecked(&self) -> u64 {
        self.unchecked
    }
}
