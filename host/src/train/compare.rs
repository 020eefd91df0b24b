//! Trainings beside each other: the same recipe with several seeds, the same seeds with several optimizers.
//!
//! A training is one draw. What a method does shows over several seeds, and what two methods differ in shows on the same seeds, which share
//! products, market, judge and chance.

mod equal_kl;
mod plot;
pub mod rewards;

pub use equal_kl::{EqualKl, KL};
pub use plot::{Axis, draw};

use super::TrainError;
use super::rl::RlResult;
use crate::bench::BenchError;
use adeval_eval::statistics::student;
use adeval_eval::{Estimate, Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Trainings of one kind, one a seed.
pub struct Group {
    /// Its name.
    pub name: String,
    /// Their results, in the order of the seeds.
    pub runs: Vec<RlResult>,
}

/// What is compared: a key of an epoch's metrics, and its title. All are shares but the divergence.
pub const METRICS: [(&str, &str); 6] = [
    ("held_out/synthetic_true_ctr", "True CTR*"),
    ("held_out/synthetic_match_rate", "Match*"),
    ("held_out/judge_ctr", "Judge's CTR"),
    ("held_out/win_rate", "Win rate"),
    ("held_out/distinct_share", "Distinct"),
    (KL, "KL, nats"),
];

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Confidence level of all intervals, which are not corrected for their number.
    pub level: f64,
    /// The groups, in their order.
    pub groups: Vec<GroupResult>,
    /// Each group against the others at the last epoch, trainings paired by their places.
    pub differences: Vec<Difference>,
    /// The groups where they are equally far from their references, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equal_kl: Option<EqualKl>,
}

/// A group, epoch by epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupResult {
    /// Its name.
    pub name: String,
    /// Its trainings.
    pub runs: usize,
    /// By metric: the mean over trainings at each epoch, from 0, with Student's interval.
    pub epochs: BTreeMap<String, Vec<Estimate>>,
    /// By metric: the change from epoch 0 to the last, paired by training.
    pub changes: BTreeMap<String, Estimate>,
}

/// A group less another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The one.
    pub first: String,
    /// The other.
    pub second: String,
    /// By metric: the mean of the differences, at the last epoch or at the same divergence.
    pub last: BTreeMap<String, Estimate>,
}

/// Reads a group: `NAME=DIR,DIR,...`, each a training's directory.
///
/// # Errors
/// [`TrainError::Recipe`] for a text that is no group, [`TrainError::Bench`] for a directory without a result.
pub fn read(text: &str) -> Result<Group, TrainError> {
    let (name, dirs) = split_group(text)?;
    let runs =
        dirs.into_iter().map(|dir| result(Path::new(dir), "adeval train rl")).collect::<Result<_, _>>()?;
    Ok(Group { name: name.to_owned(), runs })
}

/// The name and the directories of `NAME=DIR,DIR,...`.
fn split_group(text: &str) -> Result<(&str, Vec<&str>), TrainError> {
    let wrong = || TrainError::Recipe(format!("\"{text}\" is no group of trainings: write NAME=DIR,DIR,..."));
    let (name, dirs) = text.split_once('=').ok_or_else(wrong)?;
    let dirs: Vec<&str> = dirs.split(',').map(str::trim).filter(|dir| !dir.is_empty()).collect();
    if name.trim().is_empty() || dirs.is_empty() {
        return Err(wrong());
    }
    Ok((name.trim(), dirs))
}

/// What a command left in a directory.
fn result<T: DeserializeOwned>(dir: &Path, command: &str) -> Result<T, TrainError> {
    let path: PathBuf = dir.join("result.json");
    let unread = |reason: String| BenchError::Read { path: path.clone(), reason };
    let bytes = std::fs::read(&path).map_err(|e| {
        unread(format!("it cannot be read: {e}; name the directory of a finished `{command}`"))
    })?;
    Ok(serde_json::from_slice(&bytes)
        .map_err(|e| unread(format!("this is no result of `{command}`: {e}")))?)
}

/// Compares groups.
///
/// # Errors
/// [`TrainError::Recipe`] when trainings differ in their number of epochs, or groups in their number of trainings.
pub fn compare(groups: &[Group], level: f64) -> Result<Comparison, TrainError> {
    let shape =
        |group: &Group| (group.runs.len(), group.runs.iter().map(|run| run.epochs.len()).max().unwrap_or(0));
    for group in groups {
        let (runs, epochs) = shape(group);
        if group.runs.iter().any(|run| run.epochs.len() != epochs) || shape(group) != shape(&groups[0]) {
            return Err(TrainError::Recipe(format!(
                "the group {} has {runs} trainings of up to {} epochs, {} has {}: groups are compared epoch by epoch and training by training, so give each the same",
                group.name,
                epochs.saturating_sub(1),
                groups[0].name,
                groups[0].runs.len()
            )));
        }
    }
    let results = groups.iter().map(|group| GroupResult {
        name: group.name.clone(),
        runs: group.runs.len(),
        epochs: of_metrics(|metric| {
            (0..shape(group).1).map(|epoch| Some(mean(&values(group, metric, epoch)?, level))).collect()
        }),
        changes: of_metrics(|metric| {
            let last = shape(group).1.checked_sub(1)?;
            Some(difference(&values(group, metric, last)?, &values(group, metric, 0)?, level))
        }),
    });
    let last = |group: &Group, metric: &str| values(group, metric, shape(group).1.checked_sub(1)?);
    let differences = differences(groups, level, last);
    let equal_kl = EqualKl::of(groups, level);
    Ok(Comparison { level, groups: results.collect(), differences, equal_kl })
}

/// Each group against the later ones, by the metrics that both have values of, one a training.
fn differences(
    groups: &[Group],
    level: f64,
    values: impl Fn(&Group, &str) -> Option<Vec<f64>>,
) -> Vec<Difference> {
    let pairs = groups
        .iter()
        .enumerate()
        .flat_map(|(at, first)| groups[at + 1..].iter().map(move |second| (first, second)));
    let pair = |(first, second): (&Group, &Group)| Difference {
        first: first.name.clone(),
        second: second.name.clone(),
        last: of_metrics(|metric| Some(difference(&values(first, metric)?, &values(second, metric)?, level))),
    };
    pairs.map(pair).collect()
}

/// The metrics that have a value.
fn of_metrics<T>(of: impl Fn(&str) -> Option<T>) -> BTreeMap<String, T> {
    METRICS.iter().filter_map(|(metric, _)| Some(((*metric).to_owned(), of(metric)?))).collect()
}

/// A metric of each training at an epoch; `None` when one has none.
fn values(group: &Group, metric: &str, epoch: usize) -> Option<Vec<f64>> {
    let of = |run: &RlResult| {
        let metrics = &run.epochs.get(epoch)?.metrics;
        metrics.get(metric).copied()
    };
    group.runs.iter().map(of).collect()
}

fn difference(first: &[f64], second: &[f64], level: f64) -> Estimate {
    mean(&first.iter().zip(second).map(|(a, b)| a - b).collect::<Vec<_>>(), level)
}

/// A mean with Student's interval.
fn mean(values: &[f64], level: f64) -> Estimate {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    if n < 2 {
        return Estimate::plain(mean, n);
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n as f64 - 1.0);
    let half = student::quantile(f64::midpoint(1.0, level), n as f64 - 1.0) * (variance / n as f64).sqrt();
    Estimate::with_interval(mean, mean - half, mean + half, n, Method::StudentT)
}

#[cfg(test)]
mod tests {
    use super::super::rl::EpochResult;
    use super::*;

    /// A training whose epochs have these metrics.
    pub fn run_of(epochs: Vec<Vec<(&str, f64)>>) -> RlResult {
        let epoch = |(epoch, metrics): (usize, Vec<(&str, f64)>)| EpochResult {
            epoch: epoch as u32,
            metrics: metrics.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        RlResult {
            name: "rl".into(),
            components: BTreeMap::new(),
            training_products: 1,
            held_out_products: 1,
            unusable_products: 0,
            steps: 1,
            adapter: "adapters/epoch-0001".into(),
            epochs: epochs.into_iter().enumerate().map(epoch).collect(),
        }
    }

    fn group(name: &str, runs: &[&[f64]]) -> Group {
        let run = |ctrs: &&[f64]| {
            run_of(ctrs.iter().map(|ctr| vec![("held_out/synthetic_true_ctr", *ctr)]).collect())
        };
        Group { name: name.into(), runs: runs.iter().map(run).collect() }
    }

    #[test]
    fn pairs_of_trainings_take_the_seeds_out() {
        // Seeds differ by far more than methods do.
        let dpo = group("dpo", &[&[0.02, 0.03], &[0.06, 0.07], &[0.10, 0.11]]);
        let pcpo = group("pcpo", &[&[0.02, 0.032], &[0.06, 0.071], &[0.10, 0.113]]);
        let compared = compare(&[pcpo, dpo], 0.95).unwrap();
        let key = "held_out/synthetic_true_ctr";
        let last = &compared.groups[0].epochs[key][1];
        assert!((last.value - 0.072).abs() < 1e-12 && last.low.unwrap() < 0.0, "{last:?}");
        let by = &compared.differences[0].last[key];
        // 0.002, 0.001, 0.003: mean 0.002, deviation 0.001, t(0.975, 2) = 4.3027.
        let half = 4.302_652_729_911_275 * 0.001 / 3.0_f64.sqrt();
        assert!((by.value - 0.002).abs() < 1e-12 && (by.high.unwrap() - 0.002 - half).abs() < 1e-9, "{by:?}");
        assert!((compared.groups[1].changes[key].value - 0.01).abs() < 1e-12);
        assert!(!compared.groups[0].epochs.contains_key("held_out/win_rate"));
    }

    #[test]
    fn groups_that_do_not_fit_are_refused_by_name() {
        let groups = [group("a", &[&[0.1, 0.2]]), group("b", &[&[0.1, 0.2], &[0.1, 0.2]])];
        let error = compare(&groups, 0.95).unwrap_err().to_string();
        assert!(error.contains("b has 2 trainings") && error.contains("a has 1"), "{error}");
        assert!(read("nothing").is_err_and(|error| error.to_string().contains("NAME=DIR")));
        assert!(read("a=/nowhere").is_err_and(|error| error.to_string().contains("/nowhere/result.json")));
    }
}
