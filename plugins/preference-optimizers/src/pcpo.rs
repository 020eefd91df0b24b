//! `pcpo`: product-centric preference optimisation (CAIG, section 3.4): DPO, and a preference for the true condition.

use crate::answer::{add, in_range, log_ratio, zeros};
use crate::dpo::DpoParameters;
use crate::preference::Tally;
use crate::sigmoid::smoothed;
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the swapped half of the corruption is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// The same answer under another product's text: the paper's formula.
    #[default]
    Printed,
    /// Another product's text *and* its best answer: the paper's released code. The difference then compares two answers under
    /// two texts, and moves the probability of an answer that nobody held against another.
    Released,
}

/// Parameters of `pcpo`. The defaults are the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PcpoParameters {
    /// What the swapped half of the corruption is.
    pub variant: Variant,
    /// `beta` of the preference between answers.
    #[schemars(range(min = 0.0001, max = 100.0))]
    pub beta: f64,
    /// `beta'` of the preference between conditions.
    #[schemars(range(min = 0.0001, max = 100.0))]
    pub condition_beta: f64,
    /// Weight of the preference between conditions.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub condition_weight: f64,
    /// Whether conditions with a masked image are among the corrupted ones.
    pub masking: bool,
    /// Whether conditions with a swapped text are among them.
    pub swapping: bool,
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
            variant: Variant::Printed,
            beta: 0.5,
            condition_beta: 0.5,
            condition_weight: 1.0,
            masking: true,
            swapping: true,
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
/// for each preference, half of the time each; this takes the mean over both, which is that draw's expectation.
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
        let PcpoParameters { beta, label_smoothing, min_margin, masking, swapping, .. } = parameters;
        let dpo = DpoParameters { beta, label_smoothing, min_margin, ..DpoParameters::default() };
        dpo.check("pcpo")?;
        in_range("pcpo", "condition_beta", parameters.condition_beta, 0.0001, 100.0)?;
        in_range("pcpo", "condition_weight", parameters.condition_weight, 0.0, 100.0)?;
        in_range("pcpo", "patch", f64::from(parameters.patch), 1.0, 4096.0)?;
        in_range("pcpo", "masked_share", parameters.masked_share, 0.0, 1.0)?;
        if !masking && !swapping {
            return Err(PluginError::invalid_parameters(
                "pcpo: neither masking nor swapping is on, so there is no corrupted condition: use dpo",
            ));
        }
        Ok(Self { dpo, parameters })
    }
}

impl RlOptimizer for Pcpo {
    fn needs(&self) -> OptimizerNeeds {
        let PcpoParameters { variant, masking, swapping, patch, masked_share: share, .. } = self.parameters;
        let swapped = match variant {
            Variant::Printed => Corruption::SwappedText,
            Variant::Released => Corruption::SwappedPair,
        };
        let masked = masking.then_some(Corruption::MaskedImage { patch, share });
        let corruptions = masked.into_iter().chain(swapping.then_some(swapped)).collect();
        OptimizerNeeds { samples_per_product: 2, corruptions }
    }

    fn loss(&self, batch: &PreferenceBatch, cx: &CallContext<'_>) -> Result<LossAndGradient> {
        cx.check()?;
        batch.validate(&self.needs())?;
        let mut groups = zeros(batch);
        let mut tally = Tally::default();
        for (group, gradient) in batch.groups.iter().zip(&mut groups) {
            let Some((good, loss)) = self.dpo.prefer(group, gradient, &mut tally) else { continue };
            let condition = self.conditions(&group[good], &mut gradient[good], &mut tally);
            tally.pair(loss + condition);
        }
        tally.finish(groups)
    }
}

impl Pcpo {
    /// The weighted preference for the true condition of a chosen answer, its derivatives added to `gradient`.
    fn conditions(&self, sample: &SampleEvidence, gradient: &mut SampleGradient, tally: &mut Tally) -> f64 {
        let PcpoParameters { condition_beta: beta, condition_weight: weight, .. } = self.parameters;
        let share = 1.0 / sample.corrupted.len() as f64;
        let mut loss = 0.0;
        for (corrupted, by_corrupted) in sample.corrupted.iter().zip(&mut gradient.corrupted) {
            let margin = beta * (log_ratio(&sample.clean) - log_ratio(corrupted));
            let (term, slope) = smoothed(margin, 0.0);
            let slope = weight * share * beta * slope;
            loss += weight * share * term;
            add(&mut gradient.clean, slope);
            add(by_corrupted, -slope);
            tally.add("conditions/margins", share * margin);
            tally.add("conditions/accuracies", share * f64::from(u8::from(margin > 0.0)));
        }
        loss
    }
}
