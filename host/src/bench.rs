//! The bench: a suite in, a ranked board out; resumable, and never computing anything twice.
//!
//! Steps: the optimizers in their synthetic world, prompts and creatives for each entry, product fidelity, the judges' scores and comparisons, features, and
//! [`adeval_eval::leaderboard()`]. Each step asks the store what is missing, calls the plugins for that in batches, and
//! reads the evidence back from the store, so that a resumed run ends with the same bytes as an undisturbed one.
//!
//! Seeds depend on the suite's seed, the product and the sample, not on the entry: entries with the same prompt generator
//! see the same prompts, and the comparison between entries is paired.

mod artifacts;
mod embed;
mod error;
mod evidence;
mod generate;
mod keys;
mod ledger;
mod look;
mod measure;
mod merge;
mod optimize;
mod pixels;
mod plan;
mod plugins;
mod pump;
mod render;
mod requests;
mod result;
mod shard;
mod shard_run;

pub use artifacts::{Artifact, Creatives, artifacts, creatives};
pub use embed::{EmbedJob, Embedded, embed};
pub use error::BenchError;
pub(crate) use generate::{batches, cloned, keep_creative, record};
pub(crate) use keys::{key, product_hash};
pub use look::{Seen, look, score};
pub(crate) use measure::{Asked, ask, load_rgb, pictures};
pub use merge::{MergeOptions, MergeOutcome, MergedShard, merge};
pub(crate) use plan::PlannedComponent;
pub use plugins::{Identity, Installed, OpenComponent, Plugins};
pub(crate) use pump::{Caller, Clock, Done, pump};
pub use render::{RenderJob, Rendered, render};
pub(crate) use requests::{CREATIVE_BATCH, background_request, prompt_request};
pub use result::{
    Difference, EntryCost, OptimizerResult, RunResult, Session, compare, schema as result_schema,
};
pub use shard::Shard;
pub use shard_run::{ShardOutcome, ShardReport, Unopened, run_shard};

use crate::products::Matting;
use crate::store::Store;
use crate::suite::{Metric, Suite};
use ledger::Ledger;
use plan::Plan;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Shows how far a bench is.
pub trait Progress: Sync {
    /// A step begins, with so many items to compute.
    fn stage(&self, name: &str, total: usize);
    /// So many items of the step are computed.
    fn advance(&self, done: usize);
    /// Where a component says it is in a call: how much is done, from 0 to 1, and a few words.
    fn note(&self, fraction: f32, note: &str);
    /// What a component says while it loads, such as files, bytes and device.
    fn loading(&self, note: &str);
    /// Something that the user should know.
    fn warn(&self, message: &str);
    /// A result that is worth a line while the rest is at work.
    fn say(&self, _line: &str) {}
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str, _: usize) {}
    fn advance(&self, _: usize) {}
    fn note(&self, _: f32, _: &str) {}
    fn loading(&self, _: &str) {}
    fn warn(&self, _: &str) {}
}

/// What a bench works with.
#[derive(Clone, Copy)]
pub struct Services<'a> {
    /// Finds and opens components.
    pub plugins: &'a dyn Plugins,
    /// Cuts out products that come without alpha.
    pub matting: &'a dyn Matting,
    /// Shows how far it is.
    pub progress: &'a dyn Progress,
    /// Set from elsewhere (Ctrl-C), it ends the bench after the batch in flight.
    pub cancel: &'a AtomicBool,
}

/// How a suite is run.
#[derive(Debug, Clone, Default)]
pub struct BenchOptions {
    /// Folder of all runs; the run gets a directory of its own in it, named after the suite and its inputs.
    pub runs: PathBuf,
    /// The run directory itself, in place of the one in `runs`.
    pub run_dir: Option<PathBuf>,
    /// Use only the first so many products.
    pub limit: Option<usize>,
    /// Try what failed before once more.
    pub retry_failed: bool,
    /// Compute the metrics anew from the stored creatives, without calling a generator.
    pub rescore: bool,
}

/// A finished bench.
#[derive(Debug, Clone)]
pub struct BenchOutcome {
    /// What `result.json` holds.
    pub result: RunResult,
    /// The whole board, costs included.
    pub board: adeval_eval::leaderboard::Leaderboard,
    /// Where the run is.
    pub run_dir: PathBuf,
    /// Results that were computed by this call; 0 when everything was there.
    pub computed: usize,
    /// Products of the suite that cannot be used.
    pub unusable_products: usize,
    /// Wall time of this call in seconds.
    pub wall_seconds: f64,
    /// Of it, the time inside plugins (opening them and calling them) in seconds.
    pub plugin_seconds: f64,
    /// Share of the wall time outside plugins, in [0, 1].
    pub share_outside_plugins: f64,
}

/// Runs a suite, or what is missing of it.
///
/// # Errors
/// [`BenchError`]. A product, creative or judgement that fails is no error: it is counted on the board.
pub fn run(
    suite: &Suite,
    options: &BenchOptions,
    services: &Services<'_>,
) -> Result<BenchOutcome, BenchError> {
    let call = Call::begin();
    let plan = Plan::new(suite, options.limit, None, services)?;
    let store = open_store(&plan, options)?;
    let bench = Bench { plan: &plan, store: &store, services, clock: &call.clock };
    let broken = bench.compute(options.rescore)?;
    let (board, optimizers) = bench.ledger().boards(&broken)?;
    let result = result::write(&store, board.clone(), optimizers, call.session(&store))?;
    let Session { wall_seconds, plugin_seconds, computed } = call.session(&store);
    Ok(BenchOutcome {
        board,
        result,
        run_dir: store.dir().to_owned(),
        computed,
        unusable_products: plan.bad.len(),
        wall_seconds,
        plugin_seconds,
        share_outside_plugins: (1.0 - plugin_seconds / wall_seconds).clamp(0.0, 1.0),
    })
}

/// The run directory of a plan, with the plan's description in it.
fn open_store(plan: &Plan<'_>, options: &BenchOptions) -> Result<Store, BenchError> {
    let dir = options.run_dir.clone().unwrap_or_else(|| options.runs.join(plan.run_name()));
    let store = Store::open(&dir)?;
    store.write_manifest(&plan.manifest())?;
    if options.retry_failed {
        store.forget_failures();
    }
    Ok(store)
}

/// A call of the bench, as a clock sees it.
struct Call {
    started: Instant,
    clock: pump::Clock,
}

impl Call {
    fn begin() -> Self {
        Self { started: Instant::now(), clock: pump::Clock::default() }
    }

    /// What it took so far.
    fn session(&self, store: &Store) -> Session {
        Session {
            wall_seconds: self.started.elapsed().as_secs_f64(),
            plugin_seconds: self.clock.seconds(),
            computed: store.appended(),
        }
    }
}

/// A run at work.
struct Bench<'a> {
    plan: &'a Plan<'a>,
    store: &'a Store,
    services: &'a Services<'a>,
    clock: &'a pump::Clock,
}

/// Components that could not be opened: a label of the place in the suite, and why.
type Broken = Vec<(String, adeval_sdk::PluginError)>;

impl<'a> Bench<'a> {
    /// What it reads.
    fn ledger(&self) -> Ledger<'a> {
        Ledger { plan: self.plan, store: self.store }
    }

    /// Computes all that is missing.
    fn compute(&self, rescore: bool) -> Result<Broken, BenchError> {
        let mut broken = Broken::new();
        self.has_something_to_rescore(rescore)?;
        for optimizer in &self.plan.cast.optimizers {
            self.optimize(optimizer, &mut broken)?;
        }
        if self.plan.cast.entries.is_empty() {
            return Ok(broken);
        }
        if !rescore {
            for entry in &self.plan.cast.entries {
                self.generate(entry, &mut broken)?;
            }
        }
        // Pixels and sheets need the creatives only, and the judges keep this thread waiting for their process.
        std::thread::scope(|scope| {
            let beside = scope.spawn(|| {
                self.measure_pixels(rescore)?;
                // A contact sheet is of the whole suite.
                if self.plan.shard.is_none() { self.ledger().draw_sheets() } else { Ok(()) }
            });
            let measured = self.measure(&mut broken);
            measured.and(beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        Ok(broken)
    }

    /// A rescore of a suite with entries needs a creative.
    fn has_something_to_rescore(&self, rescore: bool) -> Result<(), BenchError> {
        let wants_creatives = !self.plan.products.is_empty();
        if rescore
            && wants_creatives
            && self.plan.cast.entries.iter().all(|e| self.ledger().creatives(e).is_empty())
        {
            return Err(BenchError::Incomplete(format!(
                "{} holds no creative to score; run the bench without --rescore first",
                self.store.dir().display()
            )));
        }
        Ok(())
    }

    fn measure(&self, broken: &mut Broken) -> Result<(), BenchError> {
        let suite = self.plan.suite;
        if suite.wants(Metric::WinRate) || suite.wants(Metric::PredictedCtr) {
            for judge in &self.plan.cast.judges {
                self.judge(judge, broken)?;
            }
        }
        if suite.compares_features() {
            self.embed(broken)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
