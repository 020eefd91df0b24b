//! Steps of the solvers in log signal-to-noise ratio: DPM-Solver and UniPC.

use candle_core::Tensor;

use super::arithmetic::{combine, ln, over, times, to_f32};
use super::choices::{BetaSchedule, FinalSigmasType, PredictionType, TimestepSpacing};
use super::config::Settings;
use super::noise_schedule::NoiseSchedule;
use super::prediction::Limit;
use super::{at, spacing};
use crate::Result;

/// Rules in which the three solvers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Solver {
    Multistep,
    Singlestep,
    UniPc,
}

/// One noise level, with the signal and noise of the variance-preserving process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) alpha: f32,
    pub(super) sigma: f32,
    /// Half the log signal-to-noise ratio; infinite where there is no noise.
    pub(super) lambda: f32,
}

impl Level {
    fn of(sigma: f32) -> Self {
        let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
        let sigma = sigma * alpha;
        Self { alpha, sigma, lambda: ln(alpha) - ln(sigma) }
    }
}

/// The noise levels of a run, and what the model's output means at each.
pub(super) struct Levels {
    pub(super) settings: Settings,
    solver: Solver,
    limit: Limit,
    /// Noise levels of all training times, rising.
    train_sigmas: Vec<f32>,
    /// Training times with so little signal that they are left out.
    clipped: usize,
    pub(super) timesteps: Vec<f64>,
    pub(super) sigmas: Vec<f32>,
}

impl Levels {
    pub(super) fn new(settings: Settings, solver: Solver) -> Self {
        let schedule = NoiseSchedule::with_finite_sigmas(&settings);
        let lambda = |alpha: &&f32| {
            f64::from(ln(alpha.sqrt()) - ln((1.0 - **alpha).sqrt())) < settings.lambda_min_clipped
        };
        let clipped = match solver {
            Solver::UniPc => 0,
            _ => schedule.alphas_cumprod.iter().filter(lambda).count(),
        };
        let limit = Limit::thresholding(&settings);
        let train_sigmas = schedule.sigmas();
        Self { settings, solver, limit, train_sigmas, clipped, timesteps: Vec::new(), sigmas: Vec::new() }
    }

    pub(super) fn set_timesteps(&mut self, steps: usize) -> Result<()> {
        self.settings.check_steps(steps)?;
        let levels = match self.respaced(steps) {
            Some((levels, times)) => {
                self.timesteps = times;
                levels
            }
            None => {
                self.timesteps = self.times(steps);
                self.timesteps.iter().map(|t| spacing::interpolate(*t, &self.train_sigmas)).collect()
            }
        };
        self.sigmas = levels.iter().map(|level| *level as f32).collect();
        self.sigmas.push(self.last_sigma());
        Ok(())
    }

    /// Whole training times, spaced evenly. One more than the steps is laid out, and the lowest left out.
    fn times(&self, steps: usize) -> Vec<f64> {
        let s = &self.settings;
        let spacing = match self.solver {
            Solver::Singlestep => TimestepSpacing::Linspace,
            _ => s.timestep_spacing,
        };
        let train = s.num_train_timesteps;
        let times = spacing::timesteps(spacing, (train - self.clipped, train), (steps, 1), s.steps_offset);
        times.iter().map(|t| t.round_ties_even()).collect()
    }

    /// Levels that are spaced themselves, and the training times nearest to them.
    fn respaced(&self, steps: usize) -> Option<(Vec<f64>, Vec<f64>)> {
        let s = &self.settings;
        let (low, high) = (f64::from(*self.train_sigmas.first()?), f64::from(*self.train_sigmas.last()?));
        let (min, max) = (s.sigma_min.unwrap_or(low), s.sigma_max.unwrap_or(high));
        let logs: Vec<f32> = self.train_sigmas.iter().map(|sigma| ln(*sigma)).collect();
        let levels = if s.use_karras_sigmas {
            spacing::karras(max, min, steps)
        } else if s.use_lu_lambdas && self.solver == Solver::Multistep {
            let (low, high) = (f64::from(*logs.first()?), f64::from(*logs.last()?));
            spacing::linspace(0.0, 1.0, steps).iter().map(|ramp| (high + ramp * (low - high)).exp()).collect()
        } else if s.use_exponential_sigmas {
            spacing::exponential(max, min, steps)
        } else {
            return None;
        };
        let rounds = !s.use_exponential_sigmas
            && (s.beta_schedule != BetaSchedule::Squaredcos || self.solver != Solver::Multistep);
        let whole = |t: f64| if rounds { t.round_ties_even() } else { t.trunc() };
        let times = levels.iter().map(|level| whole(spacing::time_of(*level, &logs))).collect();
        Some((levels, times))
    }

    fn last_sigma(&self) -> f32 {
        let spaced = self.settings.use_karras_sigmas || self.settings.use_exponential_sigmas;
        let source = match self.settings.final_sigmas_type {
            FinalSigmasType::Zero => None,
            FinalSigmasType::SigmaMin if spaced && self.solver == Solver::UniPc => self.sigmas.last(),
            FinalSigmasType::SigmaMin => self.train_sigmas.first(),
        };
        source.copied().unwrap_or(0.0)
    }

    /// The level before step `index`; the level after the last step has the index behind it.
    pub(super) fn at(&self, index: usize) -> Result<Level> {
        Ok(Level::of(at(&self.sigmas, index)?))
    }

    /// The clean sample that an f32 output stands for.
    pub(super) fn pred_original(&self, output: &Tensor, sample: &Tensor, level: Level) -> Result<Tensor> {
        let original = match self.settings.prediction_type {
            PredictionType::Epsilon => over(&(sample - times(output, level.sigma)?)?, level.alpha)?,
            PredictionType::Sample => output.clone(),
            PredictionType::VPrediction => combine(&[(sample, level.alpha), (output, -level.sigma)])?,
        };
        self.limit.apply(original)
    }

    /// The noise that an f32 output stands for.
    pub(super) fn pred_noise(&self, output: &Tensor, sample: &Tensor, level: Level) -> Result<Tensor> {
        match self.settings.prediction_type {
            PredictionType::Epsilon => Ok(output.clone()),
            PredictionType::Sample => over(&(sample - times(output, level.alpha)?)?, level.sigma),
            PredictionType::VPrediction => combine(&[(output, level.alpha), (sample, level.sigma)]),
        }
    }

    pub(super) fn add_noise(&self, original: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        let level = self.at(index)?;
        let noisy = combine(&[(&to_f32(original)?, level.alpha), (&to_f32(noise)?, level.sigma)])?;
        Ok(noisy.to_dtype(original.dtype())?)
    }
}
