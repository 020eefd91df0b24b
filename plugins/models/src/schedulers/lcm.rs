//! Latent consistency models: Luo et al., "Latent Consistency Models" (2023), multistep sampling of algorithm 3.
//!
//! The model goes from any noise level to the clean sample at once; each step but the last adds fresh noise.

use candle_core::Tensor;

use super::arithmetic::{combine, over, times, to_f32};
use super::choices::PredictionType;
use super::config::Settings;
use super::noise_schedule::NoiseSchedule;
use super::prediction::Limit;
use super::{Scheduler, StepOutput, at};
use crate::torch_rng::Noise;
use crate::{ModelError, Result};

/// Standard deviation of the data in the boundary condition.
const SIGMA_DATA: f32 = 0.5;

pub(super) struct Lcm {
    settings: Settings,
    schedule: NoiseSchedule,
    limit: Limit,
    timesteps: Vec<f64>,
}

impl Lcm {
    pub(super) fn new(settings: Settings) -> Self {
        let (schedule, limit) = (NoiseSchedule::new(&settings), Limit::clipping(&settings));
        Self { settings, schedule, limit, timesteps: Vec::new() }
    }

    fn pred_original(&self, output: &Tensor, sample: &Tensor, alpha: f32) -> Result<Tensor> {
        let (signal, noise) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        match self.settings.prediction_type {
            PredictionType::Epsilon => over(&(sample - times(output, noise)?)?, signal),
            PredictionType::Sample => Ok(output.clone()),
            PredictionType::VPrediction => combine(&[(sample, signal), (output, -noise)]),
        }
    }

    /// Weights of the sample and of the predicted clean sample, such that time zero changes nothing.
    fn boundary(&self, time: f64) -> (f32, f32) {
        let scaled = time as f32 * self.settings.timestep_scaling as f32;
        let sum = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
        (SIGMA_DATA * SIGMA_DATA / sum, scaled / sum.sqrt())
    }
}

impl Scheduler for Lcm {
    fn set_timesteps(&mut self, steps: usize) -> Result<()> {
        let (train, distilled) = (self.settings.num_train_timesteps, self.settings.original_inference_steps);
        if !(1..=distilled).contains(&steps) {
            return Err(ModelError::Input {
                found: format!("{steps} steps of a model that was distilled for {distilled}"),
                expected: "at least one step and no more than original_inference_steps",
            });
        }
        let spread = distilled as f64 / steps as f64;
        let time = |step: usize| {
            let from_end = (step as f64 * spread).floor() as usize;
            ((distilled - from_end) * (train / distilled)) as f64 - 1.0
        };
        self.timesteps = (0..steps).map(time).collect();
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
        let time = at(&self.timesteps, index)?;
        let alpha = at(&self.schedule.alphas_cumprod, time as usize)?;
        let (output, sample) = (to_f32(model_output)?, to_f32(sample)?);
        let original = self.limit.apply(self.pred_original(&output, &sample, alpha)?)?;
        let (skip, out) = self.boundary(time);
        let denoised = combine(&[(&original, out), (&sample, skip)])?;
        let dtype = model_output.dtype();
        let prev = match self.timesteps.get(index + 1) {
            Some(next) => {
                let drawn = noise.normal(model_output.dims(), dtype, model_output.device())?;
                self.schedule.add_noise(&denoised, &to_f32(&drawn)?, *next)?
            }
            None => denoised.clone(),
        };
        Ok(StepOutput { prev_sample: prev.to_dtype(dtype)?, pred_original: denoised.to_dtype(dtype)? })
    }
}
