//! Trainings where they are equally far from where they began. At the same number of epochs a loss that takes longer steps looks like a
//! better one; what a method buys with its distance shows at the same distance (Gao, Schulman and Hilton, "Scaling laws for reward model
//! overoptimization", 2023).

use super::{Difference, Group, differences, mean, of_metrics};
use crate::train::rl::RlResult;
use adeval_eval::Estimate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The distance, as an epoch's metric.
pub const KL: &str = "held_out/kl";

/// All groups at one distance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EqualKl {
    /// The KL divergence from the reference on held-out products, in nats an answer: the largest that every training reached.
    pub kl: f64,
    /// By group and metric: the mean over trainings, each interpolated between the two epochs where it first went past that divergence.
    pub groups: BTreeMap<String, BTreeMap<String, Estimate>>,
    /// Each group against the others there, paired by training.
    pub differences: Vec<Difference>,
}

impl EqualKl {
    /// `None` where a training's distance is not known, or one went nowhere.
    pub fn of(groups: &[Group], level: f64) -> Option<Self> {
        let runs = || groups.iter().flat_map(|group| &group.runs);
        let farthest = |run: &RlResult| {
            let distances = run.epochs.iter().map(|epoch| epoch.metrics.get(KL).copied());
            distances.collect::<Option<Vec<f64>>>()?.into_iter().reduce(f64::max)
        };
        let kl = runs().map(farthest).collect::<Option<Vec<f64>>>()?.into_iter().reduce(f64::min)?;
        if kl <= 0.0 {
            return None;
        }
        // The divergence itself is the same for all there.
        let values = |group: &Group, metric: &str| -> Option<Vec<f64>> {
            group.runs.iter().map(|run| at(run, kl, metric)).collect::<Option<_>>().filter(|_| metric != KL)
        };
        let means = groups.iter().map(|group| {
            let means = of_metrics(|metric| Some(mean(&values(group, metric)?, level)));
            (group.name.clone(), means)
        });
        Some(Self { kl, groups: means.collect(), differences: differences(groups, level, values) })
    }
}

/// A metric of a training where it first reaches a distance, linear between epochs.
fn at(run: &RlResult, kl: f64, metric: &str) -> Option<f64> {
    let point = |epoch: usize| {
        let metrics = &run.epochs.get(epoch)?.metrics;
        Some((*metrics.get(KL)?, *metrics.get(metric)?))
    };
    let reached = (0..run.epochs.len()).find(|&epoch| point(epoch).is_some_and(|(far, _)| far >= kl))?;
    let (far, value) = point(reached)?;
    let Some((near, before)) = reached.checked_sub(1).and_then(point) else { return Some(value) };
    Some(before + (value - before) * (kl - near) / (far - near))
}

#[cfg(test)]
mod tests {
    use super::super::tests::run_of;
    use super::*;

    const CTR: &str = "held_out/synthetic_true_ctr";

    fn group(name: &str, runs: &[&[(f64, f64)]]) -> Group {
        let run = |points: &&[(f64, f64)]| {
            run_of(points.iter().map(|&(kl, ctr)| vec![(KL, kl), (CTR, ctr)]).collect())
        };
        Group { name: name.into(), runs: runs.iter().map(run).collect() }
    }

    #[test]
    fn a_longer_step_along_the_same_path_is_no_difference() {
        let slow = group(
            "slow",
            &[&[(0.0, 0.02), (0.1, 0.03), (0.2, 0.04)], &[(0.0, 0.04), (0.1, 0.05), (0.3, 0.07)]],
        );
        let fast = group(
            "fast",
            &[&[(0.0, 0.02), (0.4, 0.06), (0.8, 0.10)], &[(0.0, 0.04), (0.8, 0.12), (0.7, 0.11)]],
        );
        let found = EqualKl::of(&[slow, fast], 0.95).expect("distances are known");
        assert!((found.kl - 0.2).abs() < 1e-12);
        assert!((found.groups["slow"][CTR].value - 0.05).abs() < 1e-12, "{found:?}");
        let by = &found.differences[0].last[CTR];
        assert!(by.value.abs() < 1e-12 && by.high.is_some(), "{by:?}");
    }

    #[test]
    fn distances_that_are_not_known_are_not_guessed() {
        let known = group("known", &[&[(0.0, 0.02), (0.1, 0.03)]]);
        let unknown =
            Group { name: "old".into(), runs: vec![run_of(vec![vec![(CTR, 0.02)], vec![(CTR, 0.03)]])] };
        assert_eq!(EqualKl::of(&[known, unknown], 0.95), None);
        assert_eq!(EqualKl::of(&[group("still", &[&[(0.0, 0.1), (0.0, 0.1)]])], 0.95), None);
    }
}
