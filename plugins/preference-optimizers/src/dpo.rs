//! `dpo`: direct preference optimisation on the best and the worst sample of each product, with the losses of its family.

mod losses;

use crate::answer::{add, in_range, zeros};
use crate::preference::{Tally, pair};
use adeval_sdk::prelude::*;
use losses::Constants;
use losses::{Pair, Slopes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The loss of a pair, under trl's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DpoLoss {
    /// `-log sigmoid` of the margin (Rafailov et al., 2023); with `label_smoothing`, conservative DPO.
    #[default]
    Sigmoid,
    /// `max(0, 1 - margin)` (SLiC, Zhao et al., 2023).
    Hinge,
    /// `(margin a token - 1 / (2 beta))^2`, which does not overfit certain preferences (IPO, Azar et al., 2024).
    Ipo,
    /// DPO's loss, unbiased when a share `label_smoothing` of the labels is flipped (Chowdhury et al., 2024).
    Robust,
    /// The reverse KL divergence to the labels (EXO, Ji et al., 2024); needs `label_smoothing`.
    ExoPair,
    /// Absolute likelihoods instead of relative ones (NCA, Chen et al., 2024).
    NcaPair,
    /// Two binary classifications against the reference (BCO, Jung et al., 2024), as trl 1 has it: without a running shift.
    BcoPair,
    /// Self-play with hard win rates (SPPO, Wu et al., 2024): log-ratios of plus and minus `1 / (2 beta)`.
    SppoHard,
    /// Chosen answers up, rejected ones down: for answers better than the policy's (APO, D'Oosterlinck et al., 2024).
    ApoZero,
    /// Both down, the rejected one more: for answers worse than the policy's (the same).
    ApoDown,
    /// Found by a language model (`DiscoPOP`, Lu et al., 2024).
    Discopop,
    /// `-log sigmoid` of the margin a token.
    SigmoidNorm,
    /// Log-probabilities a token with a target margin, and no reference (`SimPO`, Meng et al., 2024).
    Simpo,
}

/// Parameters of `dpo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DpoParameters {
    /// The loss of a pair.
    pub loss: DpoLoss,
    /// Strength of the pull towards the reference (CAIG: 0.5; `simpo`: the scale of its rewards, 2 in the paper).
    #[schemars(range(min = 0.0001, max = 100.0))]
    pub beta: f64,
    /// Probability that a preference is wrong; 0 trusts every one. `sigmoid`, `robust`, `exo_pair` and `simpo` use it.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub label_smoothing: f64,
    /// Groups whose best and worst rewards are closer than this make no preference. Equal rewards never do.
    #[schemars(range(min = 0.0, max = 1e9))]
    pub min_margin: f64,
    /// Target margin of `simpo`.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub simpo_gamma: f64,
    /// Temperature of the blend of `discopop`.
    #[schemars(range(min = 0.001, max = 100.0))]
    pub discopop_tau: f64,
}

impl Default for DpoParameters {
    fn default() -> Self {
        Self {
            loss: DpoLoss::Sigmoid,
            beta: 0.1,
            label_smoothing: 0.0,
            min_margin: 0.0,
            simpo_gamma: 0.5,
            discopop_tau: 0.05,
        }
    }
}

impl DpoParameters {
    pub(crate) fn check(&self, id: &str) -> Result<()> {
        in_range(id, "beta", self.beta, 0.0001, 100.0)?;
        in_range(id, "label_smoothing", self.label_smoothing, 0.0, 0.5)?;
        in_range(id, "min_margin", self.min_margin, 0.0, 1e9)?;
        in_range(id, "simpo_gamma", self.simpo_gamma, 0.0, 100.0)?;
        in_range(id, "discopop_tau", self.discopop_tau, 0.001, 100.0)?;
        self.check_smoothing(id)
    }

    /// A parameter that would do nothing, or divide by zero, is a mistake.
    fn check_smoothing(&self, id: &str) -> Result<()> {
        use DpoLoss::{ExoPair, Robust, Sigmoid, Simpo};
        let smoothing = self.label_smoothing;
        let wrong = match self.loss {
            ExoPair if smoothing == 0.0 => "the loss exo_pair needs it above 0, e.g. 0.001",
            Robust if smoothing == 0.5 => "the loss robust needs it below 0.5",
            Sigmoid | Robust | ExoPair | Simpo => return Ok(()),
            _ if smoothing == 0.0 => return Ok(()),
            _ => "this loss has no use for it: leave it out, or choose sigmoid, robust, exo_pair or simpo",
        };
        Err(PluginError::invalid_parameters(format!("{id}: label_smoothing is {smoothing}, {wrong}")))
    }

    /// The preference of a group: its derivatives added to `gradient`, its metrics to `tally`; the chosen sample and the
    /// loss. `None` where the group makes none.
    pub(crate) fn prefer(
        &self,
        group: &[SampleEvidence],
        gradient: &mut [SampleGradient],
        tally: &mut Tally,
    ) -> Option<(usize, f64)> {
        let (good, bad) = pair(group, self.min_margin)?;
        let (chosen, rejected) = (&group[good].clean, &group[bad].clean);
        let seen = Pair::of(chosen, rejected);
        let slopes = self.loss(&seen);
        add(&mut gradient[good].clean, slopes.chosen);
        add(&mut gradient[bad].clean, slopes.rejected);
        tally.rewards(chosen, rejected, seen.rewards(self.loss, self.beta));
        Some((good, slopes.loss))
    }

    /// The loss of one preference.
    fn loss(&self, pair: &Pair) -> Slopes {
        let Self { beta, label_smoothing: smoothing, simpo_gamma: gamma, discopop_tau: tau, .. } = *self;
        losses::loss(self.loss, pair, &Constants { beta, smoothing, gamma, tau })
    }
}

/// The `dpo` component. Log-probabilities are summed over tokens where a loss does not say otherwise.
pub struct Dpo(DpoParameters);

impl Component for Dpo {
    type Parameters = DpoParameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new(
            "dpo",
            "Direct Preference Optimisation on the best and the worst sample of a product; IPO, SimPO and others of its family",
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
            if let Some((_, loss)) = self.0.prefer(group, gradient, &mut tally) {
                tally.pair(loss);
            }
        }
        tally.finish(groups)
    }
}
