//! DPM-Solver++ for the ODE and the SDE, as multi-step and single-step method.
//!
//! Lu et al., "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models" (2022). Both methods
//! go from level `s` to level `t` with the exact solution for a clean sample that is a polynomial in `lambda`; they
//! differ in the level that the differences are taken from.

use std::collections::VecDeque;

use candle_core::{DType, Tensor};

use super::arithmetic::{combine, exp, times, to_f32};
use super::choices::{AlgorithmType, FinalSigmasType, SolverType};
use super::config::Settings;
use super::levels::{Level, Levels, Solver};
use super::{Scheduler, StepOutput};
use crate::torch_rng::Noise;
use crate::{ModelError, Result};

pub(super) struct Dpm {
    levels: Levels,
    singlestep: bool,
    /// Predicted clean samples, the newest first.
    originals: VecDeque<Tensor>,
    /// Single-step: the sample that the present group of steps began with.
    base: Option<Tensor>,
}

/// From one level to another over polynomials of the clean sample.
struct Move {
    from: Level,
    to: Level,
    h: f32,
    heun: bool,
    /// Fresh noise, for the SDE.
    noise: Option<Tensor>,
}

impl Dpm {
    pub(super) fn multistep(settings: Settings) -> Self {
        Self::new(settings, false)
    }

    pub(super) fn singlestep(settings: Settings) -> Self {
        Self::new(settings, true)
    }

    fn new(settings: Settings, singlestep: bool) -> Self {
        let solver = if singlestep { Solver::Singlestep } else { Solver::Multistep };
        let levels = Levels::new(settings, solver);
        Self { levels, singlestep, originals: VecDeque::new(), base: None }
    }

    /// Order of step `index`, given what is known from earlier steps.
    fn order(&self, index: usize) -> usize {
        let wanted = if self.singlestep { self.singlestep_order(index) } else { self.multistep_order(index) };
        wanted.min(self.originals.len())
    }

    fn multistep_order(&self, index: usize) -> usize {
        let (s, steps) = (&self.levels.settings, self.levels.timesteps.len());
        let careful = s.lower_order_final && steps < 15;
        let first = s.euler_at_final || careful || s.final_sigmas_type == FinalSigmasType::Zero;
        match steps - index {
            1 if first => 1,
            2 if careful => s.solver_order.min(2),
            _ => s.solver_order,
        }
    }

    /// Steps come in groups of orders 1, 2. A run that ends with no noise, or in half a group, ends with order 1.
    fn singlestep_order(&self, index: usize) -> usize {
        let (s, steps) = (&self.levels.settings, self.levels.timesteps.len());
        let to_zero = s.final_sigmas_type == FinalSigmasType::Zero;
        let lower = s.lower_order_final || to_zero || !steps.is_multiple_of(s.solver_order);
        let last = index + 1 == steps && lower;
        if s.solver_order == 1 || last { 1 } else { index % 2 + 1 }
    }

    /// Multi-step: from the present level, with differences to earlier ones.
    fn multistep_update(&self, step: Move, sample: &Tensor, index: usize, order: usize) -> Result<Tensor> {
        let m0 = at_order(&self.originals, 0)?;
        if order == 1 {
            return step.first_order(sample, m0);
        }
        let (m1, before) = (at_order(&self.originals, 1)?, self.levels.at(index - 1)?);
        let r0 = (step.from.lambda - before.lambda) / step.h;
        let d1 = times(&(m0 - m1)?, 1.0 / r0)?;
        if order == 2 {
            return step.second_order(sample, m0, &d1);
        }
        let (m2, earlier) = (at_order(&self.originals, 2)?, self.levels.at(index - 2)?);
        let r1 = (before.lambda - earlier.lambda) / step.h;
        let d1_before = times(&(m1 - m2)?, 1.0 / r1)?;
        let change = (&d1 - &d1_before)?;
        let slope = (&d1 + times(&change, r0 / (r0 + r1))?)?;
        step.third_order(sample, m0, &slope, &times(&change, 1.0 / (r0 + r1))?)
    }

    /// Single-step: from the level that the group began at.
    fn singlestep_update(
        &mut self,
        step: Move,
        sample: &Tensor,
        index: usize,
        order: usize,
    ) -> Result<Tensor> {
        let m0 = at_order(&self.originals, 0)?;
        if order == 1 {
            self.base = Some(sample.clone());
            return step.first_order(sample, m0);
        }
        let (m1, start) = (at_order(&self.originals, 1)?, self.levels.at(index - 1)?);
        let whole = Move { from: start, h: step.to.lambda - start.lambda, ..step };
        let r0 = (step.from.lambda - start.lambda) / whole.h;
        let d1 = times(&(m0 - m1)?, 1.0 / r0)?;
        whole.second_order(self.base.as_ref().unwrap_or(sample), m1, &d1)
    }
}

fn at_order(originals: &VecDeque<Tensor>, age: usize) -> Result<&Tensor> {
    originals.get(age).ok_or_else(|| ModelError::Input {
        found: format!("a step that needs {} earlier outputs and has {}", age, originals.len()),
        expected: "steps in order, without a gap",
    })
}

impl Move {
    /// The weighted terms, and the noise of the SDE.
    fn sum<'a>(&'a self, mut terms: Vec<(&'a Tensor, f32)>) -> Result<Tensor> {
        if let Some(noise) = &self.noise {
            terms.push((noise, self.to.sigma * (1.0 - exp(-2.0 * self.h)).sqrt()));
        }
        combine(&terms)
    }

    /// What is left of the sample.
    fn kept(&self) -> f32 {
        let ratio = self.to.sigma / self.from.sigma;
        if self.noise.is_some() { ratio * exp(-self.h) } else { ratio }
    }

    /// Integral of the constant term.
    fn constant(&self) -> f32 {
        if self.noise.is_some() {
            self.to.alpha * (1.0 - exp(-2.0 * self.h))
        } else {
            -(self.to.alpha * (exp(-self.h) - 1.0))
        }
    }

    /// Integral of the linear term.
    fn linear(&self) -> f32 {
        let h = self.h;
        if self.noise.is_some() {
            self.to.alpha * ((1.0 - exp(-2.0 * h)) / (-2.0 * h) + 1.0)
        } else {
            self.to.alpha * ((exp(-h) - 1.0) / h + 1.0)
        }
    }

    fn first_order(&self, sample: &Tensor, original: &Tensor) -> Result<Tensor> {
        self.sum(vec![(sample, self.kept()), (original, self.constant())])
    }

    fn second_order(&self, sample: &Tensor, original: &Tensor, slope: &Tensor) -> Result<Tensor> {
        let weight = if self.heun { self.linear() } else { 0.5 * self.constant() };
        self.sum(vec![(sample, self.kept()), (original, self.constant()), (slope, weight)])
    }

    fn third_order(
        &self,
        sample: &Tensor,
        original: &Tensor,
        slope: &Tensor,
        bend: &Tensor,
    ) -> Result<Tensor> {
        let h = self.h;
        let square = if self.noise.is_some() {
            let double = 2.0 * h;
            self.to.alpha * ((1.0 - exp(-2.0 * h) - double) / (double * double) - 0.5)
        } else {
            -(self.to.alpha * ((exp(-h) - 1.0 + h) / (h * h) - 0.5))
        };
        let terms = vec![(sample, self.kept()), (original, self.constant()), (slope, self.linear())];
        self.sum(terms.into_iter().chain([(bend, square)]).collect())
    }
}

impl Scheduler for Dpm {
    fn set_timesteps(&mut self, steps: usize) -> Result<()> {
        self.originals.clear();
        self.base = None;
        self.levels.set_timesteps(steps)
    }

    fn timesteps(&self) -> &[f64] {
        &self.levels.timesteps
    }

    fn sigmas(&self) -> &[f32] {
        &self.levels.sigmas
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.levels.add_noise(original, noise, index)
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        index: usize,
        sample: &Tensor,
        noise: &mut dyn Noise,
    ) -> Result<StepOutput> {
        let (from, to) = (self.levels.at(index)?, self.levels.at(index + 1)?);
        let (dtype, device) = (model_output.dtype(), model_output.device());
        let (output, sample) = (to_f32(model_output)?, to_f32(sample)?);
        let original = self.levels.pred_original(&output, &sample, from)?;
        self.originals.push_front(original.clone());
        self.originals.truncate(self.levels.settings.solver_order);
        let noise = match self.levels.settings.algorithm_type {
            AlgorithmType::DpmSolverPlusPlus => None,
            AlgorithmType::SdeDpmSolverPlusPlus => {
                // The reference draws in the output's type here, but in f32 for the multi-step method.
                let drawn = if self.singlestep { dtype } else { DType::F32 };
                Some(to_f32(&noise.normal(model_output.dims(), drawn, device)?)?)
            }
        };
        let heun = self.levels.settings.solver_type == SolverType::Heun;
        let step = Move { from, to, h: to.lambda - from.lambda, heun, noise };
        let order = self.order(index);
        let prev = if self.singlestep {
            self.singlestep_update(step, &sample, index, order)?
        } else {
            self.multistep_update(step, &sample, index, order)?
        };
        Ok(StepOutput { prev_sample: prev.to_dtype(dtype)?, pred_original: original.to_dtype(dtype)? })
    }
}
