//! What was computed of pictures, kept for the next epoch.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a map, a key and the vector of keys take beside the values.
const OVERHEAD: usize = 200;

/// A bounded cache by the hash of a picture. A new picture takes the place of any other when it is full: an epoch asks for all
/// pictures in turn, and to forget the oldest would forget each just before it is asked for again.
pub struct Cache<V> {
    kept: Mutex<Kept<V>>,
    most: usize,
}

struct Kept<V> {
    values: HashMap<String, V>,
    keys: Vec<String>,
    draws: u64,
}

impl<V: Clone> Cache<V> {
    /// For as many values of `bytes` each as fit into `mebibytes`.
    pub fn new(mebibytes: u32, bytes: usize) -> Self {
        let most = ((mebibytes as usize) << 20) / (bytes + OVERHEAD);
        let kept = Kept { values: HashMap::new(), keys: Vec::new(), draws: 0 };
        Self { kept: Mutex::new(kept), most }
    }

    fn lock(&self) -> MutexGuard<'_, Kept<V>> {
        // Whoever panicked with the lock left a map and its keys that may differ by one, which costs a place.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, key: &str) -> Option<V> {
        self.lock().values.get(key).cloned()
    }

    pub fn put(&self, key: &str, value: V) {
        let mut kept = self.lock();
        if self.most == 0 || kept.values.contains_key(key) {
            return;
        }
        if kept.keys.len() < self.most {
            kept.keys.push(key.to_owned());
        } else {
            // The upper bits of Knuth's multiplicative sequence: spread out, and the same in every run.
            kept.draws = kept.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let place = (kept.draws >> 32) as usize % self.most;
            let old = std::mem::replace(&mut kept.keys[place], key.to_owned());
            kept.values.remove(&old);
        }
        kept.values.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_a_share_of_what_comes_in_turn() {
        let cache = Cache::new(1, (1 << 20) / 64 - OVERHEAD);
        let mut hits = 0;
        for _ in 0..10 {
            for number in 0..80 {
                let key = number.to_string();
                match cache.get(&key) {
                    Some(value) => {
                        assert_eq!(value, number);
                        hits += 1;
                    }
                    None => cache.put(&key, number),
                }
            }
        }
        let kept = cache.lock();
        assert_eq!((kept.values.len(), kept.keys.len()), (64, 64));
        assert!(hits > 300, "{hits} of 800 were kept, where the oldest first would keep none");
    }

    #[test]
    fn no_room_keeps_nothing() {
        let cache = Cache::new(0, 10);
        cache.put("a", 1);
        assert_eq!(cache.get("a"), None);
    }
}
