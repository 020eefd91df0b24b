//! `pcpo`: product-centric preference optimisation (CAIG, section 3.4): DPO, and a preference for the true condition.

use crate::dpo::DpoParameters;
use crate::preference::{Tally, add, in_range, log_ratio, pair, sigmoid_loss, zeros};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `pcpo`. The defaults are the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PcpoParameters {
    /// `beta` of the preference between answers.
    #[schemars(range(min = 0.0001, max = 100.0))]
    pub beta: f64,
    /// `beta'` of the preference between conditions.
    #[schemars(range(min = 0.0001, max = 100.0))]
    pub condition_beta: f64,
    /// Weight of the preference between conditions.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub condition_weight: f64,
    /// Side of a patch of the masked image, in pixels.
    #[schemars(range(min = 1, max = 4096))]
    pub patch: u32,
    /// Share of the patches that are zeroed.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub masked_share: f64,
    /// As in `dpo`, for the preference between answers.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub label_smoothing: f64,
    /// As in `dpo`.
    #[schemars(range(min = 0.0, max = 1e9))]
    pub min_margin: f64,
}

impl Default for PcpoParameters {
    fn default() -> Self {
        Self {
            beta: 0.5,
            condition_beta: 0.5,
            condition_weight: 1.0,
            patch: 32,
            masked_share: 0.75,
            label_smoothing: 0.0,
            min_margin: 0.0,
        }
    }
}

/// The `pcpo` component:
/// `L_DPO + w * mean_x' -log sigmoid(beta' * [log pi/ref(y+|x) - log pi/ref(y+|x')])`.
///
/// `x'` is the product with a masked image, and the product with another one's text. The paper draws one of the two
/// for each preference, half of the time each; this takes the mean over both, which is that draw's expectation. It is
/// the printed formula: the answer stays the same, only its condition is corrupted.
pub struct Pcpo {
    dpo: DpoParameters,
    parameters: PcpoParameters,
}

impl Component for Pcpo {
    type Parameters = PcpoParameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new("pcpo", "DPO plus a preference for the true over corrupted conditions (CAIG)")
    }

    fn create(parameters: PcpoParameters, _: &Environment) -> Result<Self> {
        let PcpoParameters { beta, label_smoothing, min_margin, .. } = parameters;
        let dpo = DpoParameters { beta, label_smoothing, min_margin };
        dpo.check("pcpo")?;
        in_range("pcpo", "condition_beta", parameters.condition_beta, 0.0001, 100.0)?;
        in_range("pcpo", "condition_weight", parameters.condition_weight, 0.0, 100.0)?;
        in_range("pcpo", "patch", f64::from(parameters.patch), 1.0, 4096.0)?;
        in_range("pcpo", "masked_share", parameters.masked_share, 0.0, 1.0)?;
        Ok(Self { dpo, parameters })
    }
}

impl RlOptimizer for Pcpo {
    fn needs(&self) -> OptimizerNeeds {
        let PcpoParameters { patch, masked_share: share, .. } = self.parameters;
        let corruptions = vec![Corruption::MaskedImage { patch, share }, Corruption::SwappedText];
        OptimizerNeeds { samples_per_product: 2, corruptions }
    }

    fn loss(&self, batch: &PreferenceBatch, cx: &CallContext<'_>) -> Result<LossAndGradient> {
        cx.check()?;
        batch.validate(&self.needs())?;
        let PcpoParameters { condition_beta, condition_weight, .. } = self.parameters;
        let mut groups = zeros(batch);
        let mut tally = Tally::default();
        for (group, gradient) in batch.groups.iter().zip(&mut groups) {
            let Some((good, bad)) = pair(group, self.dpo.min_margin) else { continue };
            let (chosen, rejected) = (&group[good].clean, &group[bad].clean);
            let (mut loss, slope) = self.dpo.loss(chosen, rejected);
            add(&mut gradient[good].clean, slope);
            add(&mut gradient[bad].clean, -slope);
            tally.dpo(chosen, rejected, self.dpo.beta);
            let share = 1.0 / group[good].corrupted.len().max(1) as f64;
            for (c, corrupted) in group[good].corrupted.iter().enumerate() {
                let margin = condition_beta * (log_ratio(chosen) - log_ratio(corrupted));
                let (term, slope) = sigmoid_loss(margin, 0.0);
                let slope = condition_weight * share * condition_beta * slope;
                loss += condition_weight * share * term;
                add(&mut gradient[good].clean, slope);
                add(&mut gradient[good].corrupted[c], -slope);
                tally.add("conditions/margins", share * margin);
                tally.add("conditions/accuracies", share * f64::from(u8::from(margin > 0.0)));
            }
            tally.pair(loss);
        }
        tally.finish(groups)
    }
}
