//! DDIM: Song et al., "Denoising Diffusion Implicit Models" (2020), equations 12 and 16.

use candle_core::Tensor;

use super::arithmetic::{combine, over, times, to_f32};
use super::choices::{PredictionType, TimestepSpacing};
use super::config::Settings;
use super::noise_schedule::NoiseSchedule;
use super::prediction::Limit;
use super::{Scheduler, StepOutput, at, spacing};
use crate::Result;
use crate::torch_rng::Noise;

pub(super) struct Ddim {
    settings: Settings,
    schedule: NoiseSchedule,
    limit: Limit,
    timesteps: Vec<f64>,
    /// Training times between two steps.
    stride: usize,
}

impl Ddim {
    pub(super) fn new(settings: Settings) -> Self {
        let (schedule, limit) = (NoiseSchedule::new(&settings), Limit::clipping(&settings));
        Self { settings, schedule, limit, timesteps: Vec::new(), stride: 1 }
    }

    /// Signal left before step `index`, and after it.
    fn signals(&self, index: usize) -> Result<(f32, f32)> {
        let time = at(&self.timesteps, index)? as usize;
        let after = match time.checked_sub(self.stride) {
            Some(next) => at(&self.schedule.alphas_cumprod, next)?,
            None if self.settings.set_alpha_to_one => 1.0,
            None => at(&self.schedule.alphas_cumprod, 0)?,
        };
        Ok((at(&self.schedule.alphas_cumprod, time)?, after))
    }

    /// The clean sample and the noise that the model's output stands for.
    fn split(&self, output: &Tensor, sample: &Tensor, alpha: f32) -> Result<(Tensor, Tensor)> {
        let (signal, noise) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        Ok(match self.settings.prediction_type {
            PredictionType::Epsilon => (over(&(sample - times(output, noise)?)?, signal)?, output.clone()),
            PredictionType::Sample => (output.clone(), over(&(sample - times(output, signal)?)?, noise)?),
            PredictionType::VPrediction => (
                combine(&[(sample, signal), (output, -noise)])?,
                combine(&[(output, signal), (sample, noise)])?,
            ),
        })
    }
}

impl Scheduler for Ddim {
    fn set_timesteps(&mut self, steps: usize) -> Result<()> {
        let s = &self.settings;
        s.check_steps(steps)?;
        let train = s.num_train_timesteps;
        let times = spacing::timesteps(s.timestep_spacing, (train, train), (steps, 0), s.steps_offset);
        self.timesteps = match s.timestep_spacing {
            TimestepSpacing::Linspace => times.iter().map(|t| t.round_ties_even()).collect(),
            _ => times,
        };
        self.stride = train / steps;
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
        noise: &mut dyn Noise,
    ) -> Result<StepOutput> {
        let (alpha, next) = self.signals(index)?;
        let (output, sample) = (to_f32(model_output)?, to_f32(sample)?);
        let (original, epsilon) = self.split(&output, &sample, alpha)?;
        let original = self.limit.apply(original)?;
        let variance = (1.0 - next) / (1.0 - alpha) * (1.0 - alpha / next);
        let fresh = self.settings.eta as f32 * variance.sqrt();
        // Nothing is left at eta 1 from pure noise; rounding must not make it less than that.
        let direction = (1.0 - next - fresh * fresh).max(0.0).sqrt();
        let mut prev = combine(&[(&original, next.sqrt()), (&epsilon, direction)])?;
        let dtype = model_output.dtype();
        if self.settings.eta > 0.0 {
            let drawn = noise.normal(model_output.dims(), dtype, model_output.device())?;
            prev = (prev + times(&to_f32(&drawn)?, fresh)?)?;
        }
        Ok(StepOutput { prev_sample: prev.to_dtype(dtype)?, pred_original: original.to_dtype(dtype)? })
    }
}
