//! The results of all shards in one store.

use super::check::ShardRun;
use crate::bench::{BenchError, Progress};
use crate::store::{Outcome, Record, Store};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};

/// Results copied between two writes.
const BATCH: usize = 1024;

/// Copies what the shards hold; gives the number of results.
pub fn copy(
    shards: &[ShardRun],
    into: &Store,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<usize, BenchError> {
    let stores: Vec<&Store> = shards.iter().map(|shard| &shard.store).collect();
    let chosen = choose(&stores);
    let count = chosen.len();
    let new: Vec<(usize, Record)> = chosen
        .into_iter()
        .filter(|(key, (_, record))| into.get(key).as_ref() != Some(record))
        .map(|(_, chosen)| chosen)
        .collect();
    progress.stage("results merged", new.len());
    for batch in new.chunks(BATCH) {
        if cancel.load(Ordering::Relaxed) {
            return Err(BenchError::Interrupted { run_dir: into.dir().to_owned(), done: into.len() });
        }
        for (shard, record) in batch {
            into.take_files(stores[*shard], record)?;
        }
        into.append(&batch.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>())?;
        progress.advance(batch.len());
    }
    Ok(count)
}

/// One record a key, with the position of its store: what succeeded before what failed, then the earliest; the most
/// memory.
fn choose(stores: &[&Store]) -> BTreeMap<String, (usize, Record)> {
    let mut chosen = BTreeMap::<String, (usize, Record)>::new();
    for (at, store) in stores.iter().enumerate() {
        for record in store.records() {
            match chosen.entry(record.key.clone()) {
                Entry::Vacant(place) => {
                    place.insert((at, record));
                }
                Entry::Occupied(mut place) if is_better(&record.outcome, &place.get().1.outcome) => {
                    place.insert((at, record));
                }
                Entry::Occupied(_) => {}
            }
        }
    }
    chosen
}

fn is_better(new: &Outcome, old: &Outcome) -> bool {
    match (new, old) {
        (Outcome::Memory(new), Outcome::Memory(old)) => new > old,
        (new, Outcome::Failed { .. }) => !matches!(new, Outcome::Failed { .. }),
        _ => false,
    }
}
