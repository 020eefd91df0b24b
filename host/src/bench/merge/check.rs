//! Whether run directories are all the shards of one suite, and finished.

use super::super::ledger::Ledger;
use super::super::plan::Plan;
use super::super::shard_run::ShardReport;
use super::super::{BenchError, Progress, Shard};
use super::MergedShard;
use crate::store::{self, RunManifest, Store};
use crate::suite::Suite;
use std::path::{Path, PathBuf};

/// A shard's run directory whose description was read.
pub struct Described {
    dir: PathBuf,
    pub manifest: RunManifest,
    shard: Shard,
}

/// A shard that can be merged.
pub struct ShardRun {
    dir: PathBuf,
    pub manifest: RunManifest,
    shard: Shard,
    pub report: ShardReport,
    pub store: Store,
}

/// Reads the descriptions of shards and checks them against each other: all there, once each, of the same suite.
/// They come back in the order of their numbers.
pub fn read(dirs: &[PathBuf]) -> Result<Vec<Described>, BenchError> {
    let mut shards = dirs.iter().map(|dir| describe(dir)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = shards.first() else {
        return Err(BenchError::Incomplete(
            "there is no shard to merge; name the folders of all shards".into(),
        ));
    };
    shards.iter().try_for_each(|shard| shard.fits(first))?;
    shards.sort_by_key(|shard| shard.shard.index);
    if let Some(same) = shards.windows(2).find(|pair| pair[0].shard == pair[1].shard) {
        let (a, b) = (&same[0], &same[1]);
        return Err(b.wrong(format!(
            "it is shard {}, and so is {}; name one of them",
            b.shard,
            a.dir.display()
        )));
    }
    let there = |index| shards.iter().any(|shard| shard.shard.index == index);
    let count = shards[0].shard.count;
    let missing: Vec<String> = (1..=count).filter(|&i| !there(i)).map(|i| i.to_string()).collect();
    if missing.is_empty() {
        return Ok(shards);
    }
    let manifest = &shards[0].manifest;
    let limit = manifest.limit.map_or_else(String::new, |limit| format!(" --limit {limit}"));
    Err(BenchError::Incomplete(format!(
        "the suite \"{}\" was run in {count} shards, and {} {} not among these folders; name all of them, or run what was not run: adeval bench {}{limit} --shard {}/{count}",
        manifest.suite,
        listed(&missing),
        if missing.len() == 1 { "is" } else { "are" },
        manifest.suite_file.display(),
        missing[0],
    )))
}

/// Numbers for people, the first ten of them.
fn listed(numbers: &[String]) -> String {
    match numbers {
        [one] => format!("shard {one}"),
        numbers if numbers.len() <= 10 => format!("shards {}", numbers.join(", ")),
        numbers => format!("shards {} and {} more", numbers[..10].join(", "), numbers.len() - 10),
    }
}

/// Reads the results of shards, each of which must have all of its own.
pub fn open(
    shards: Vec<Described>,
    suite: &Suite,
    progress: &dyn Progress,
) -> Result<Vec<ShardRun>, BenchError> {
    progress.stage("shards checked", shards.len());
    let open = |shard: Described| {
        let open = shard.open(suite);
        progress.advance(1);
        open
    };
    shards.into_iter().map(open).collect()
}

fn describe(dir: &Path) -> Result<Described, BenchError> {
    let manifest = store::open_manifest(dir)?;
    match manifest.shard {
        Some(shard) => Ok(Described { dir: dir.to_owned(), manifest, shard }),
        None => Err(BenchError::Shard {
            dir: dir.to_owned(),
            reason: "is the run of a whole suite and no shard; adeval bench SUITE --shard I/N makes shards"
                .into(),
        }),
    }
}

impl Described {
    fn wrong(&self, reason: String) -> BenchError {
        BenchError::Shard { dir: self.dir.clone(), reason }
    }

    /// Whether it is a part of what the first one is a part of.
    fn fits(&self, first: &Self) -> Result<(), BenchError> {
        self.difference(first).map_or(Ok(()), |reason| Err(self.wrong(reason)))
    }

    /// What keeps it from being merged with the first one, and the mend.
    fn difference(&self, first: &Self) -> Option<String> {
        let (mine, others, other) = (&self.manifest, &first.manifest, first.dir.display());
        let program = env!("CARGO_PKG_VERSION");
        let again = |what: &str| Some(format!("it {what} than {other}; run it again with the same"));
        if mine.adeval_version != program {
            let version = &mine.adeval_version;
            Some(format!(
                "it was run by adeval {version}, and this is {program}; merge with the version that ran the shards"
            ))
        } else if mine.suite_text != others.suite_text {
            again("is of another suite, or another version of its file,")
        } else if self.shard.count != first.shard.count {
            let (shard, other_shard) = (self.shard, first.shard);
            Some(format!(
                "it is shard {shard}, and {other} is {other_shard}; run all shards with the same number"
            ))
        } else if mine.limit != others.limit {
            again("has another --limit")
        } else if mine.product_list != others.product_list {
            again("was run over another list of products")
        } else if mine.references != others.references {
            again("was run with other reference images")
        } else {
            let user = self.other_component(first)?;
            Some(format!(
                "{user} is another build of its plugin, other parameters or other weights than in {other}; run it again with the same"
            ))
        }
    }

    /// The first place where another component is used.
    fn other_component<'a>(&'a self, first: &'a Self) -> Option<&'a str> {
        let (mine, others) = (&self.manifest.components, &first.manifest.components);
        let users = mine.keys().chain(others.keys());
        users.map(String::as_str).find(|user| mine.get(*user) != others.get(*user))
    }

    fn open(self, suite: &Suite) -> Result<ShardRun, BenchError> {
        let store = Store::open_read(&self.dir)?;
        let report = ShardReport::read(&self.dir)?.ok_or_else(|| self.unfinished("it is unfinished"))?;
        let plan = Plan::of_shard(suite, &self.manifest)?;
        match (Ledger { plan: &plan, store: &store }).missing(&report.broken()) {
            0 => {
                let Self { dir, manifest, shard } = self;
                Ok(ShardRun { dir, manifest, shard, report, store })
            }
            1 => Err(self.unfinished("1 of its results is missing or damaged")),
            missing => Err(self.unfinished(&format!("{missing} of its results are missing or damaged"))),
        }
    }

    fn unfinished(&self, what: &str) -> BenchError {
        self.wrong(format!(
            "{what} (shard {}); go on with it: adeval runs resume {}",
            self.shard,
            self.dir.display()
        ))
    }
}

impl ShardRun {
    pub fn wrong(&self, reason: &str) -> BenchError {
        BenchError::Shard { dir: self.dir.clone(), reason: reason.into() }
    }

    /// Whether a path is its directory.
    pub fn is_in(&self, dir: &Path) -> bool {
        let same = |a: &Path, b: &Path| Some(a.canonicalize().ok()? == b.canonicalize().ok()?);
        same(dir, &self.dir).unwrap_or(false)
    }

    pub fn summary(&self) -> MergedShard {
        MergedShard {
            dir: self.dir.clone(),
            shard: self.shard,
            results: self.store.len(),
            unopened: self.report.unopened.clone(),
        }
    }
}
