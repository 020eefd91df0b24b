//! PLMS: the linear multi-step half of Liu et al., "Pseudo Numerical Methods for Diffusion Models" (2022).
//!
//! This is what the published files of Stable Diffusion 1.5 name (`PNDMScheduler` with `skip_prk_steps`). The first
//! interval is gone through twice, so that a run has one step more than was asked for.

use candle_core::Tensor;

use super::arithmetic::{combine, over, times, to_f32};
use super::choices::{PredictionType, TimestepSpacing};
use super::config::Settings;
use super::noise_schedule::NoiseSchedule;
use super::{Scheduler, StepOutput, at, spacing};
use crate::Result;
use crate::torch_rng::Noise;

pub(super) struct Pndm {
    settings: Settings,
    schedule: NoiseSchedule,
    timesteps: Vec<f64>,
    /// Training times between two steps.
    stride: usize,
    /// Outputs that the multi-step formula takes, the newest first.
    outputs: Vec<Tensor>,
    /// The sample that the run began with, for the second way through the first interval.
    first: Option<Tensor>,
    taken: usize,
}

impl Pndm {
    pub(super) fn new(settings: Settings) -> Self {
        let schedule = NoiseSchedule::new(&settings);
        Self {
            settings,
            schedule,
            timesteps: Vec::new(),
            stride: 1,
            outputs: Vec::new(),
            first: None,
            taken: 0,
        }
    }

    /// Adams and Bashforth's combination of the outputs, as far as there are any.
    fn combined(&self) -> Result<Tensor> {
        let terms: Vec<_> = match self.outputs.len() {
            0 | 1 => vec![1.0],
            2 => vec![3.0, -1.0],
            3 => vec![23.0, -16.0, 5.0],
            _ => vec![55.0, -59.0, 37.0, -9.0],
        };
        let weighted: Vec<_> = self.outputs.iter().zip(terms).collect();
        let sum = combine(&weighted)?;
        match self.outputs.len() {
            0 | 1 => Ok(sum),
            2 => over(&sum, 2.0),
            3 => over(&sum, 12.0),
            _ => times(&sum, 1.0 / 24.0),
        }
    }

    fn signal_after(&self, time: usize) -> Result<f32> {
        match time.checked_sub(self.stride) {
            Some(next) => at(&self.schedule.alphas_cumprod, next),
            None if self.settings.set_alpha_to_one => Ok(1.0),
            None => at(&self.schedule.alphas_cumprod, 0),
        }
    }

    /// Equation 11 of the paper, from signal `alpha` to `next`.
    fn transfer(&self, sample: &Tensor, output: &Tensor, alpha: f32, next: f32) -> Result<Tensor> {
        let noise = self.noise(sample, output, alpha)?;
        let bottom = alpha * (1.0 - next).sqrt() + (alpha * (1.0 - alpha) * next).sqrt();
        Ok((times(sample, (next / alpha).sqrt())? - over(&times(&noise, next - alpha)?, bottom)?)?)
    }

    fn noise(&self, sample: &Tensor, output: &Tensor, alpha: f32) -> Result<Tensor> {
        match self.settings.prediction_type {
            PredictionType::VPrediction => combine(&[(output, alpha.sqrt()), (sample, (1.0 - alpha).sqrt())]),
            _ => Ok(output.clone()),
        }
    }
}

impl Scheduler for Pndm {
    fn set_timesteps(&mut self, steps: usize) -> Result<()> {
        let s = &self.settings;
        s.check_steps(steps)?;
        let train = s.num_train_timesteps;
        let mut times = spacing::timesteps(s.timestep_spacing, (train, train), (steps, 0), s.steps_offset);
        if s.timestep_spacing == TimestepSpacing::Linspace {
            times.iter_mut().for_each(|t| *t = t.round_ties_even());
        }
        if let Some(&second) = times.get(1) {
            times.insert(1, second);
        }
        (self.timesteps, self.stride) = (times, train / steps);
        (self.outputs, self.first, self.taken) = (Vec::new(), None, 0);
        Ok(())
    }

    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        self.schedule.add_noise(original, noise, at(&self.timesteps, index)?)
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        index: usize,
        sample: &Tensor,
        _noise: &mut dyn Noise,
    ) -> Result<StepOutput> {
        let time = at(&self.timesteps, index)? as usize;
        let (dtype, output) = (model_output.dtype(), to_f32(model_output)?);
        let mut sample = to_f32(sample)?;
        let (from, next, combined);
        if let (1, Some(first), Some(newest)) = (self.taken, self.first.take(), self.outputs.first()) {
            combined = over(&(&output + newest)?, 2.0)?;
            sample = first;
            from = at(&self.schedule.alphas_cumprod, time + self.stride)?;
            next = at(&self.schedule.alphas_cumprod, time)?;
        } else {
            self.outputs.insert(0, output);
            self.outputs.truncate(4);
            combined = self.combined()?;
            (from, next) = (at(&self.schedule.alphas_cumprod, time)?, self.signal_after(time)?);
            self.first = (self.taken == 0).then(|| sample.clone());
        }
        let prev = self.transfer(&sample, &combined, from, next)?;
        let noise = self.noise(&sample, &combined, from)?;
        let original = over(&(&sample - times(&noise, (1.0 - from).sqrt())?)?, from.sqrt())?;
        self.taken += 1;
        Ok(StepOutput { prev_sample: prev.to_dtype(dtype)?, pred_original: original.to_dtype(dtype)? })
    }
}
