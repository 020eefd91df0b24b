//! UniPC: Zhao et al., "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models" (2023).
//!
//! Each step first corrects the sample that the step before predicted, with the output that is now known for it, and
//! then predicts the next one. Both solve a small system for the weights of the differences (equation 10).

use std::collections::VecDeque;

use candle_core::Tensor;

use super::arithmetic::{combine, expm1, over, times, to_f32};
use super::choices::SolverType;
use super::config::Settings;
use super::levels::{Level, Levels, Solver};
use super::{Scheduler, StepOutput};
use crate::torch_rng::Noise;
use crate::{ModelError, Result};

pub(super) struct UniPc {
    levels: Levels,
    /// Outputs in terms of the clean sample, or of the noise; the newest first, each with its level.
    outputs: VecDeque<(Tensor, Level)>,
    /// The corrected sample that the last prediction began with, and the order of that prediction.
    last: Option<(Tensor, usize)>,
}

/// What predictor and corrector share for one move between levels.
struct Move {
    from: Level,
    to: Level,
    /// `-h` for the clean sample, `h` for the noise.
    hh: f32,
    bh: f32,
    clean: bool,
    /// Differences of earlier outputs to the newest, divided by their distance.
    differences: Vec<Tensor>,
    /// Distances in units of `h`, with 1 for the target last.
    distances: Vec<f32>,
}

impl UniPc {
    pub(super) fn new(settings: Settings) -> Self {
        Self { levels: Levels::new(settings, Solver::UniPc), outputs: VecDeque::new(), last: None }
    }

    /// From the level of the newest output to `to`, with `order - 1` earlier outputs.
    fn movement(&self, to: Level, order: usize) -> Result<Move> {
        let (newest, from) = self.outputs.front().ok_or_else(out_of_order)?;
        let (settings, h) = (&self.levels.settings, to.lambda - from.lambda);
        let hh = if settings.predict_x0 { -h } else { h };
        let bh = if settings.solver_type == SolverType::Bh1 { hh } else { expm1(hh) };
        let (mut differences, mut distances) = (Vec::new(), Vec::new());
        for (output, level) in self.outputs.iter().skip(1).take(order - 1) {
            let distance = (level.lambda - from.lambda) / h;
            distances.push(distance);
            differences.push(over(&(output - newest)?, distance)?);
        }
        distances.push(1.0);
        Ok(Move { from: *from, to, hh, bh, clean: settings.predict_x0, differences, distances })
    }

    fn predict(&self, sample: &Tensor, to: Level, order: usize) -> Result<Tensor> {
        let step = self.movement(to, order)?;
        let (newest, _) = self.outputs.front().ok_or_else(out_of_order)?;
        let weights = match step.differences.len() {
            // Without differences there is nothing to add, even where B(h) is infinite: bh1 on the way to no noise.
            0 => return step.base(sample, newest),
            1 => vec![0.5],
            count => step.weights(count)?,
        };
        let terms: Vec<_> = step.differences.iter().zip(weights).collect();
        Ok((step.base(sample, newest)? - times(&combine(&terms)?, step.scale() * step.bh)?)?)
    }

    fn correct(&self, output: &Tensor, sample: &Tensor, to: Level, order: usize) -> Result<Tensor> {
        let step = self.movement(to, order)?;
        let (newest, _) = self.outputs.front().ok_or_else(out_of_order)?;
        let weights = if order == 1 { vec![0.5] } else { step.weights(order)? };
        let change = (output - newest)?;
        let terms: Vec<_> = step.differences.iter().chain([&change]).zip(weights).collect();
        Ok((step.base(sample, newest)? - times(&combine(&terms)?, step.scale() * step.bh)?)?)
    }
}

fn out_of_order() -> ModelError {
    ModelError::Input {
        found: "a UniPC step without outputs before it".to_owned(),
        expected: "steps in order, after set_timesteps",
    }
}

impl Move {
    fn scale(&self) -> f32 {
        if self.clean { self.to.alpha } else { self.to.sigma }
    }

    /// The solution of first order.
    fn base(&self, sample: &Tensor, output: &Tensor) -> Result<Tensor> {
        let kept = if self.clean { self.to.sigma / self.from.sigma } else { self.to.alpha / self.from.alpha };
        combine(&[(sample, kept), (output, -(self.scale() * expm1(self.hh)))])
    }

    /// Weights of the first `count` differences.
    fn weights(&self, count: usize) -> Result<Vec<f32>> {
        let mut phi = expm1(self.hh) / self.hh - 1.0;
        let mut factorial = 1.0_f32;
        let (mut rows, mut right) = (Vec::new(), Vec::new());
        for power in 0..count {
            rows.push(self.distances[..count].iter().map(|r| f64::from(r.powi(power as i32))).collect());
            right.push(f64::from(phi * factorial / self.bh));
            factorial *= (power + 2) as f32;
            phi = phi / self.hh - 1.0 / factorial;
        }
        solve(rows, right).ok_or_else(|| ModelError::Input {
            found: "two steps at the same noise level".to_owned(),
            expected: "noise levels that fall from step to step; take fewer steps",
        })
    }
}

/// Gauss' elimination with partial pivoting; nothing if the system has no single finite solution.
fn solve(mut rows: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f32>> {
    let n = right.len();
    for column in 0..n {
        let pivot = (column..n).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        right.swap(column, pivot);
        let (done, below) = rows.split_at_mut(column + 1);
        let pivot = &done[column];
        for (row, target) in below.iter_mut().zip(column + 1..n) {
            let factor = row[column] / pivot[column];
            row.iter_mut().zip(pivot).for_each(|(x, p)| *x -= factor * p);
            right[target] -= factor * right[column];
        }
    }
    for column in (0..n).rev() {
        let known: f64 = (column + 1..n).map(|k| rows[column][k] * right[k]).sum();
        right[column] = (right[column] - known) / rows[column][column];
    }
    right.iter().all(|x| x.is_finite()).then(|| right.iter().map(|x| *x as f32).collect())
}

impl Scheduler for UniPc {
    fn set_timesteps(&mut self, steps: usize) -> Result<()> {
        self.outputs.clear();
        self.last = None;
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
        _noise: &mut dyn Noise,
    ) -> Result<StepOutput> {
        let (from, to) = (self.levels.at(index)?, self.levels.at(index + 1)?);
        let settings = &self.levels.settings;
        let (dtype, raw) = (model_output.dtype(), to_f32(model_output)?);
        let mut sample = to_f32(sample)?;
        let original = self.levels.pred_original(&raw, &sample, from)?;
        let output = if settings.predict_x0 {
            original.clone()
        } else {
            self.levels.pred_noise(&raw, &sample, from)?
        };
        if let Some((last, order)) = &self.last
            && index > 0
            && !settings.disable_corrector.contains(&(index - 1))
        {
            sample = self.correct(&output, last, from, *order)?;
        }
        let left = self.levels.timesteps.len() - index;
        let wanted = settings.solver_order.min(if settings.lower_order_final { left } else { usize::MAX });
        self.outputs.push_front((output, from));
        self.outputs.truncate(settings.solver_order);
        let order = wanted.min(self.outputs.len());
        let prev = self.predict(&sample, to, order)?;
        self.last = Some((sample, order));
        Ok(StepOutput { prev_sample: prev.to_dtype(dtype)?, pred_original: original.to_dtype(dtype)? })
    }
}
