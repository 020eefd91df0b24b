//! Trainings of reward models beside each other: the same models on the data and the split of several seeds.

use super::{difference, mean, result, split_group};
use crate::train::TrainError;
use crate::train::reward::{ModelResult, RewardResult};
use adeval_eval::Estimate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Reward models over seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RewardComparison {
    /// Confidence level of all intervals, which are Student's over trainings and not corrected for their number.
    pub level: f64,
    /// Trainings.
    pub runs: usize,
    /// That the clicks are simulated, where they are.
    pub synthetic: Option<String>,
    /// The models, by their mean accuracy.
    pub models: Vec<ModelSummary>,
    /// Models that not every training has a result of; they are left out above.
    pub incomplete: Vec<String>,
}

/// A model over seeds; each number is the mean of what the trainings report on their test pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelSummary {
    /// Its id.
    pub id: String,
    /// Share of pairs whose observed order is named.
    pub accuracy: Estimate,
    /// The same as a share of the noise ceiling.
    pub share_of_ceiling: Estimate,
    /// Pairs whose two orders name one winner.
    pub swap_consistency: Option<Estimate>,
    /// Expected calibration error, after the temperature.
    pub ece: Estimate,
    /// Accuracy on the true order: **synthetic** markets alone know it.
    pub true_order: Option<Estimate>,
    /// Accuracy less that of the first model, paired by training; none for the first.
    pub behind: Option<Estimate>,
}

/// Reads the trainings of `NAME=DIR,DIR,...`, if they are trainings of reward models.
///
/// # Errors
/// [`TrainError::Bench`] for a directory among them that holds something else.
pub fn read(text: &str) -> Result<Option<Vec<RewardResult>>, TrainError> {
    let (_, dirs) = split_group(text)?;
    let of = |dir: &str| result::<RewardResult>(Path::new(dir), "adeval train reward");
    if dirs.first().is_none_or(|dir| of(dir).is_err()) {
        return Ok(None);
    }
    dirs.into_iter().map(of).collect::<Result<_, _>>().map(Some)
}

/// Compares the models of trainings.
pub fn compare(runs: &[RewardResult], level: f64) -> RewardComparison {
    let of = |id: &str| -> Option<Vec<&ModelResult>> {
        runs.iter().map(|run| run.models.iter().find(|model| model.id == id)).collect()
    };
    let mut ids: Vec<&String> =
        runs.iter().flat_map(|run| run.models.iter().map(|model| &model.id)).collect();
    ids.sort();
    ids.dedup();
    let incomplete = ids.iter().filter(|id| of(id).is_none()).map(|id| (*id).clone()).collect();
    let accuracies = |models: &[&ModelResult]| -> Vec<f64> {
        models.iter().map(|model| model.report.overall.accuracy.value).collect()
    };
    let mut known: Vec<(&String, Vec<&ModelResult>)> =
        ids.into_iter().filter_map(|id| Some((id, of(id)?))).collect();
    let average = |models: &[&ModelResult]| accuracies(models).iter().sum::<f64>();
    known.sort_by(|a, b| average(&b.1).total_cmp(&average(&a.1)).then_with(|| a.0.cmp(b.0)));
    let best = known.first().map(|(_, models)| accuracies(models)).unwrap_or_default();
    let summary = |(place, (id, models)): (usize, &(&String, Vec<&ModelResult>))| {
        let over = |of: &dyn Fn(&ModelResult) -> f64| {
            mean(&models.iter().map(|model| of(model)).collect::<Vec<_>>(), level)
        };
        let known = |of: &dyn Fn(&ModelResult) -> Option<f64>| {
            let values: Option<Vec<f64>> = models.iter().map(|model| of(model)).collect();
            values.map(|values| mean(&values, level))
        };
        ModelSummary {
            id: (*id).clone(),
            accuracy: over(&|model| model.report.overall.accuracy.value),
            share_of_ceiling: over(&|model| model.report.overall.share_of_ceiling.value),
            swap_consistency: known(&|model| Some(model.report.swap_consistency.as_ref()?.value)),
            ece: over(&|model| model.report.calibration.ece.value),
            true_order: known(&|model| Some(model.true_order.as_ref()?.value)),
            behind: (place > 0).then(|| difference(&accuracies(models), &best, level)),
        }
    };
    RewardComparison {
        level,
        runs: runs.len(),
        synthetic: runs.iter().find_map(|run| run.synthetic.clone()),
        models: known.iter().enumerate().map(summary).collect(),
        incomplete,
    }
}
