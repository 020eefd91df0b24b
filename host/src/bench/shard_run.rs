//! A shard's run: the results of its part, and a report in place of a board.

use super::plan::Plan;
use super::{Bench, BenchError, BenchOptions, Broken, Call, Ledger, Services, Session, Shard, open_store};
use crate::store::{self, Store};
use crate::suite::Suite;
use adeval_sdk::PluginError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What `shard.json` holds; it is there when the shard is finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ShardReport {
    /// Which part of the suite.
    pub shard: Shard,
    /// Components that could not be opened, so that their results are missing.
    pub unopened: Vec<Unopened>,
    /// The call of adeval that computed last.
    pub session: Session,
}

/// A component that could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Unopened {
    /// Its place in the suite, e.g. `entry "a": prompt`.
    pub user: String,
    /// Why.
    pub error: PluginError,
}

/// A shard that has computed all that it could.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct ShardOutcome {
    /// What `shard.json` holds.
    #[serde(flatten)]
    pub report: ShardReport,
    /// Where the run is.
    pub run_dir: PathBuf,
    /// Products of this shard.
    pub products: usize,
    /// Those of them that cannot be used.
    pub unusable_products: usize,
    /// Results that were computed by this call; 0 when everything was there.
    pub computed: usize,
    /// What failed.
    pub failures: Vec<ShardFailure>,
    /// Wall time of this call in seconds.
    pub wall_seconds: f64,
    /// Share of the wall time outside plugins, in [0, 1].
    pub share_outside_plugins: f64,
}

/// Something that failed in a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct ShardFailure {
    /// Id of the entry or optimizer.
    pub of: String,
    /// Id of the product, where there is one.
    pub product: Option<String>,
    /// What went wrong.
    pub message: String,
}

/// Runs one part of a suite, or what is missing of it. [`super::merge()`] makes a board of all parts.
///
/// # Errors
/// As [`super::run`].
pub fn run_shard(
    suite: &Suite,
    shard: Shard,
    options: &BenchOptions,
    services: &Services<'_>,
) -> Result<ShardOutcome, BenchError> {
    let call = Call::begin();
    let plan = Plan::new(suite, options.limit, Some(shard), services)?;
    let store = open_store(&plan, options)?;
    let before = ShardReport::take(store.dir())?;
    let bench = Bench { plan: &plan, store: &store, services, clock: &call.clock };
    let broken = bench.compute(options.rescore)?;
    let session = call.session(&store);
    let report = ShardReport {
        shard,
        unopened: broken
            .iter()
            .map(|(user, error)| Unopened { user: user.clone(), error: error.clone() })
            .collect(),
        // A call that computed nothing leaves the times of the one that did.
        session: before.map(|b| b.session).filter(|_| session.computed == 0).unwrap_or(session),
    };
    report.write(&store)?;
    Ok(ShardOutcome {
        report,
        products: plan.order.len(),
        unusable_products: plan.bad.len(),
        computed: session.computed,
        failures: bench.ledger().failures(&broken),
        wall_seconds: session.wall_seconds,
        share_outside_plugins: (1.0 - session.plugin_seconds / session.wall_seconds).clamp(0.0, 1.0),
        run_dir: store.dir().to_owned(),
    })
}

impl ShardReport {
    /// The report of a run directory; none when its shard is unfinished.
    ///
    /// # Errors
    /// [`BenchError::Read`] when it is damaged.
    pub fn read(dir: &Path) -> Result<Option<Self>, BenchError> {
        store::read_json(&dir.join("shard.json"))
    }

    /// Takes it away, since what it says is about to change.
    fn take(dir: &Path) -> Result<Option<Self>, BenchError> {
        let path = dir.join("shard.json");
        // A damaged one is of no use and is written anew.
        let report = Self::read(dir).unwrap_or_default();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(BenchError::write(&path)(error))
            }
            _ => Ok(report),
        }
    }

    fn write(&self, store: &Store) -> Result<(), BenchError> {
        store::write_json(&store.dir().join("shard.json"), self)
    }

    /// The components that could not be opened, as a bench has them.
    pub(super) fn broken(&self) -> Broken {
        self.unopened.iter().map(|one| (one.user.clone(), one.error.clone())).collect()
    }
}

impl Ledger<'_> {
    /// What failed, as a board would tell it.
    fn failures(&self, broken: &Broken) -> Vec<ShardFailure> {
        let entries = self.evidence(broken).entries.into_iter().flat_map(|entry| {
            let of = entry.id;
            entry.failures.into_iter().map(move |failure| ShardFailure {
                of: of.clone(),
                product: Some(failure.product).filter(|product| !product.is_empty()),
                message: failure.message,
            })
        });
        let optimizers = self.optimizer_evidence(broken, &mut BTreeMap::new()).into_iter();
        let optimizers = optimizers.flat_map(|optimizer| {
            let of = optimizer.id;
            optimizer.failures.into_iter().map(move |message| ShardFailure {
                of: of.clone(),
                product: None,
                message,
            })
        });
        entries.chain(optimizers).collect()
    }
}
