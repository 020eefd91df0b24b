//! `dpo`: Direct Preference Optimisation (Rafailov et al., 2023) on the best and the worst sample of each product.

use crate::preference::{Tally, add, in_range, log_ratio, pair, sigmoid_loss, zeros};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `dpo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DpoParameters {
    /// Strength of the pull towards the reference (CAIG: 0.5).
    #[schemars(range(min = 0.0001, max = 100.0))]
    pub beta: f64,
    /// Probability that a preference is wrong (conservative DPO); 0 trusts every one.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub label_smoothing: f64,
    /// Groups whose best and worst rewards are closer than this make no preference. Equal rewards never do.
    #[schemars(range(min = 0.0, max = 1e9))]
    pub min_margin: f64,
}

impl Default for DpoParameters {
    fn default() -> Self {
        Self { beta: 0.1, label_smoothing: 0.0, min_margin: 0.0 }
    }
}

impl DpoParameters {
    pub(crate) fn check(&self, id: &str) -> Result<()> {
        in_range(id, "beta", self.beta, 0.0001, 100.0)?;
        in_range(id, "label_smoothing", self.label_smoothing, 0.0, 0.5)?;
        in_range(id, "min_margin", self.min_margin, 0.0, 1e9)
    }

    /// The loss of one preference, and its derivative by the chosen answer's log-probabilities (that by the
    /// rejected one's is its negative).
    pub(crate) fn loss(&self, chosen: &LogProbs, rejected: &LogProbs) -> (f64, f64) {
        let margin = self.beta * (log_ratio(chosen) - log_ratio(rejected));
        let (loss, slope) = sigmoid_loss(margin, self.label_smoothing);
        (loss, self.beta * slope)
    }
}

/// The `dpo` component: `-log sigmoid(beta * [log pi/ref(y+) - log pi/ref(y-)])`, log-probabilities summed over tokens.
pub struct Dpo(DpoParameters);

impl Component for Dpo {
    type Parameters = DpoParameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new(
            "dpo",
            "Direct Preference Optimisation on the best and the worst sample of a product",
        )
    }

    fn create(parameters: DpoParameters, _: &Environment) -> Result<Self> {
        parameters.check("dpo")?;
        Ok(Self(parameters))
    }
}

impl RlOptimizer for Dpo {
    fn needs(&self) -> OptimizerNeeds {
        OptimizerNeeds { samples_per_product: 2, corruptions: Vec::new() }
    }

    fn loss(&self, batch: &PreferenceBatch, cx: &CallContext<'_>) -> Result<LossAndGradient> {
        cx.check()?;
        batch.validate(&self.needs())?;
        let mut groups = zeros(batch);
        let mut tally = Tally::default();
        for (group, gradient) in batch.groups.iter().zip(&mut groups) {
            let Some((good, bad)) = pair(group, self.0.min_margin) else { continue };
            let (chosen, rejected) = (&group[good].clean, &group[bad].clean);
            let (loss, slope) = self.0.loss(chosen, rejected);
            add(&mut gradient[good].clean, slope);
            add(&mut gradient[bad].clean, -slope);
            tally.pair(loss);
            tally.dpo(chosen, rejected, self.0.beta);
        }
        tally.finish(groups)
    }
}
