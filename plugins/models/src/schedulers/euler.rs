//! Euler's method and its ancestral form, as k-diffusion (Crowson) has them.
//!
//! Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models" (2022): a sample `x` at noise
//! level `sigma` has the derivative `(x - x0) / sigma`. The ancestral form goes down to a lower level than the next
//! one and adds fresh noise, also in the last step, where its weight is zero.

use candle_core::Tensor;

use super::arithmetic::{over, times, to_f32};
use super::choices::{FinalSigmasType, PredictionType, TimestepSpacing};
use super::config::Settings;
use super::noise_schedule::NoiseSchedule;
use super::{Scheduler, StepOutput, at, spacing};
use crate::Result;
use crate::torch_rng::Noise;

pub(super) struct Euler {
    settings: Settings,
    ancestral: bool,
    /// Noise levels of all training times, rising.
    train_sigmas: Vec<f32>,
    timesteps: Vec<f64>,
    sigmas: Vec<f32>,
}

impl Euler {
    pub(super) fn new(settings: Settings, ancestral: bool) -> Self {
        let train_sigmas = NoiseSchedule::with_finite_sigmas(&settings).sigmas();
        Self { settings, ancestral, train_sigmas, timesteps: Vec::new(), sigmas: Vec::new() }
    }

    /// Levels and times of the steps where the levels are spaced and not the times.
    fn respaced(&self, levels: Vec<f64>) -> (Vec<f64>, Vec<f64>) {
        let s = &self.settings;
        let (Some(&first), Some(&last)) = (levels.first(), levels.last()) else {
            return (levels, Vec::new());
        };
        let (max, min) = (s.sigma_max.unwrap_or(first), s.sigma_min.unwrap_or(last));
        let levels = if s.use_karras_sigmas {
            spacing::karras(max, min, levels.len())
        } else {
            spacing::exponential(max, min, levels.len())
        };
        let logs: Vec<f32> = self.train_sigmas.iter().map(|sigma| sigma.ln()).collect();
        let times = levels.iter().map(|level| f64::from(spacing::time_of(*level, &logs) as f32)).collect();
        (levels, times)
    }

    fn pred_original(&self, output: &Tensor, sample: &Tensor, sigma: f32) -> Result<Tensor> {
        Ok(match self.settings.prediction_type {
            PredictionType::Epsilon => (sample - times(output, sigma)?)?,
            PredictionType::Sample => output.clone(),
            PredictionType::VPrediction => {
                let variance = sigma * sigma + 1.0;
                (times(output, -sigma / variance.sqrt())? + over(sample, variance)?)?
            }
        })
    }
}

impl Scheduler for Euler {
    fn set_timesteps(&mut self, steps: usize) -> Result<()> {
        let s = &self.settings;
        s.check_steps(steps)?;
        let train = s.num_train_timesteps;
        let times = spacing::timesteps(s.timestep_spacing, (train, train), (steps, 0), s.steps_offset);
        // The reference keeps these times in f32.
        let mut times: Vec<f64> = times.iter().map(|t| f64::from(*t as f32)).collect();
        let mut levels: Vec<f64> =
            times.iter().map(|t| spacing::interpolate(*t, &self.train_sigmas)).collect();
        if !self.ancestral && (s.use_karras_sigmas || s.use_exponential_sigmas) {
            (levels, times) = self.respaced(levels);
        }
        let smallest = self.train_sigmas.first().copied().unwrap_or(0.0);
        let last = match s.final_sigmas_type {
            FinalSigmasType::SigmaMin if !self.ancestral => smallest,
            _ => 0.0,
        };
        self.sigmas = levels.iter().map(|level| *level as f32).chain([last]).collect();
        self.timesteps = times;
        Ok(())
    }

    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn sigmas(&self) -> &[f32] {
        &self.sigmas
    }

    fn init_noise_sigma(&self) -> f64 {
        let levels = if self.sigmas.is_empty() { &self.train_sigmas } else { &self.sigmas };
        let max = levels.iter().copied().fold(0.0, f32::max);
        let leading = self.settings.timestep_spacing == TimestepSpacing::Leading;
        f64::from(if leading { (max * max + 1.0).sqrt() } else { max })
    }

    fn scale_model_input(&self, sample: &Tensor, index: usize) -> Result<Tensor> {
        let sigma = at(&self.sigmas, index)?;
        Ok(over(&to_f32(sample)?, (sigma * sigma + 1.0).sqrt())?.to_dtype(sample.dtype())?)
    }

    fn add_noise(&self, original: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        let sigma = at(&self.sigmas, index)?;
        Ok((to_f32(original)? + times(&to_f32(noise)?, sigma)?)?.to_dtype(original.dtype())?)
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        index: usize,
        sample: &Tensor,
        noise: &mut dyn Noise,
    ) -> Result<StepOutput> {
        let (sigma, next) = (at(&self.sigmas, index)?, at(&self.sigmas, index + 1)?);
        let (output, sample) = (to_f32(model_output)?, to_f32(sample)?);
        let original = self.pred_original(&output, &sample, sigma)?;
        let derivative = over(&(&sample - &original)?, sigma)?;
        let fresh = if self.ancestral { ancestral_noise(sigma, next) } else { 0.0 };
        let down = if self.ancestral { (next * next - fresh * fresh).sqrt() } else { next };
        let mut prev = (sample + times(&derivative, down - sigma)?)?;
        if self.ancestral {
            let drawn = noise.normal(model_output.dims(), model_output.dtype(), model_output.device())?;
            prev = (prev + times(&to_f32(&drawn)?, fresh)?)?;
        }
        let dtype = model_output.dtype();
        Ok(StepOutput { prev_sample: prev.to_dtype(dtype)?, pred_original: original.to_dtype(dtype)? })
    }
}

/// Level of the noise that an ancestral step adds.
fn ancestral_noise(from: f32, to: f32) -> f32 {
    (to * to * (from * from - to * to) / (from * from)).sqrt()
}
