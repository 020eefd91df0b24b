//! What a configuration can choose from, under the names of diffusers.

use serde::{Deserialize, Serialize};

/// How the betas of training rise from `beta_start` to `beta_end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// Evenly.
    Linear,
    /// Their square roots evenly: Stable Diffusion.
    ScaledLinear,
    /// Such that the signal falls as a cosine; takes no start and end.
    #[serde(rename = "squaredcos_cap_v2")]
    Squaredcos,
}

/// What the model was trained to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise.
    Epsilon,
    /// The velocity of Salimans and Ho, "Progressive Distillation" (2022).
    VPrediction,
    /// The clean sample.
    Sample,
}

/// How the steps of a run are laid over the training times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepSpacing {
    /// From the first to the last, both included.
    Linspace,
    /// Multiples of a whole step from zero on, plus `steps_offset`.
    Leading,
    /// Multiples of a step from the end down.
    Trailing,
}

/// The noise level after the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalSigmasType {
    /// None.
    Zero,
    /// That of the first training time.
    SigmaMin,
}

/// Which equation a DPM solver integrates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlgorithmType {
    /// Lu et al., "DPM-Solver++" (2022): the ODE, in terms of the clean sample.
    #[serde(rename = "dpmsolver++", alias = "deis")]
    DpmSolverPlusPlus,
    /// The SDE, in terms of the clean sample.
    #[serde(rename = "sde-dpmsolver++")]
    SdeDpmSolverPlusPlus,
}

/// How a solver of second order takes the difference of two outputs into account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SolverType {
    /// DPM solvers: by the midpoint rule.
    Midpoint,
    /// DPM solvers: by Heun's rule.
    Heun,
    /// UniPC: `B(h) = h`.
    Bh1,
    /// UniPC: `B(h) = exp(h) - 1`.
    Bh2,
    /// Of DEIS; others take their usual one for it.
    Logrho,
}
