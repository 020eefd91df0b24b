//! From the shards of a suite to the run that one call would have made.
//!
//! A result's key holds all that it depends on, so the run is the union of the shards' results, and its board is computed
//! from that union as always: nothing is pooled that was rounded before, and the bytes are those of one run.

mod check;
mod union;

use super::ledger::Ledger;
use super::plan::Plan;
use super::{BenchError, Broken, Progress, RunResult, Session, Shard, Unopened, result};
use crate::products;
use crate::store::Store;
use crate::suite::Suite;
use check::ShardRun;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Where a merged run goes.
#[derive(Debug, Clone, Default)]
pub struct MergeOptions {
    /// Folder of all runs; the run gets the directory in it that a run in one call has.
    pub runs: PathBuf,
    /// The run directory itself, in place of the one in `runs`.
    pub run_dir: Option<PathBuf>,
}

/// A merged run.
#[derive(Debug, Clone)]
pub struct MergeOutcome {
    /// What `result.json` holds.
    pub result: RunResult,
    /// Where the run is.
    pub run_dir: PathBuf,
    /// The shards, in order.
    pub shards: Vec<MergedShard>,
    /// Results of them all, each counted once.
    pub results: usize,
    /// Products of the suite that cannot be used.
    pub unusable_products: usize,
}

/// A shard of a merged run.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct MergedShard {
    /// Its run directory.
    pub dir: PathBuf,
    /// Which part of the suite.
    pub shard: Shard,
    /// Results that it holds.
    pub results: usize,
    /// Components that could not be opened there, so that their results are missing.
    pub unopened: Vec<Unopened>,
}

/// Merges the run directories of all shards of a suite, in any order. Calls no component.
///
/// All shards are checked before anything is written. What is in the run directory already stays, but a shard's result
/// takes the place of another one with its key: merging again ends with the same bytes.
///
/// # Errors
/// [`BenchError::Shard`] for a shard that is unfinished, missing, there twice, or of something else than the others.
pub fn merge(
    dirs: &[PathBuf],
    options: &MergeOptions,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<MergeOutcome, BenchError> {
    let shards = check::read(dirs)?;
    let first = &shards[0].manifest;
    let suite = Suite::parse(&first.suite_text, &first.suite_file)?;
    let shards = check::open(shards, &suite, progress)?;
    let manifests: Vec<_> = shards.iter().map(|shard| &shard.manifest).collect();
    let plan = Plan::of_shards(&suite, &manifests)?;
    has_a_usable_product(&plan)?;
    let dir = options.run_dir.clone().unwrap_or_else(|| options.runs.join(plan.run_name()));
    if let Some(shard) = shards.iter().find(|shard| shard.is_in(&dir)) {
        return Err(shard
            .wrong("the merged run cannot be put into one of its shards; name another folder with --out"));
    }
    let store = Store::open(&dir)?;
    store.write_manifest(&plan.manifest())?;
    let results = union::copy(&shards, &store, progress, cancel)?;
    let ledger = Ledger { plan: &plan, store: &store };
    let (board, optimizers) = ledger.boards(&broken(&shards))?;
    if !plan.cast.entries.is_empty() {
        ledger.draw_sheets()?;
    }
    let result = result::write(&store, board, optimizers, session(&shards))?;
    Ok(MergeOutcome {
        result,
        run_dir: dir,
        results,
        unusable_products: plan.bad.len(),
        shards: shards.iter().map(ShardRun::summary).collect(),
    })
}

fn has_a_usable_product(plan: &Plan<'_>) -> Result<(), BenchError> {
    match plan.bad.first() {
        Some(first) if plan.products.is_empty() => {
            let source = plan.suite.resolve(&plan.suite.products.path);
            Err(products::none_usable(&source.display().to_string(), plan.bad.len(), &first.message))
        }
        _ => Ok(()),
    }
}

/// What could not be opened anywhere; an error that several shards met is told once.
fn broken(shards: &[ShardRun]) -> Broken {
    let mut all = Broken::new();
    for one in shards.iter().flat_map(|shard| shard.report.broken()) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

fn session(shards: &[ShardRun]) -> Session {
    let mut sum = Session { wall_seconds: 0.0, plugin_seconds: 0.0, computed: 0 };
    for Session { wall_seconds, plugin_seconds, computed } in shards.iter().map(|shard| shard.report.session)
    {
        sum.wall_seconds += wall_seconds;
        sum.plugin_seconds += plugin_seconds;
        sum.computed += computed;
    }
    sum
}
