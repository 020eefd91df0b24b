//! How much of the signal is left at each training time.

use candle_core::Tensor;

use super::arithmetic::{combine, to_f32};
use super::at;
use super::choices::BetaSchedule;
use super::config::Settings;
use crate::Result;

/// Smallest subnormal of f16: stands for zero where its reciprocal is needed.
const NEARLY_ZERO: f32 = 1.0 / 16_777_216.0;

/// Products of `1 - beta` up to each training time, in f32, with sums and products rounded as in PyTorch.
#[derive(Clone, Debug)]
pub(super) struct NoiseSchedule {
    pub(super) alphas_cumprod: Vec<f32>,
}

impl NoiseSchedule {
    /// With the last product exactly zero if the schedule is rescaled to zero terminal SNR.
    pub(super) fn new(settings: &Settings) -> Self {
        let mut betas = betas(settings);
        if settings.rescale_betas_zero_snr {
            betas = rescaled(&betas);
        }
        Self { alphas_cumprod: cumulative(betas.iter().map(|beta| 1.0 - beta)) }
    }

    /// With the last product above zero, for samplers that compute noise levels from it.
    pub(super) fn with_finite_sigmas(settings: &Settings) -> Self {
        let mut schedule = Self::new(settings);
        if settings.rescale_betas_zero_snr
            && let Some(last) = schedule.alphas_cumprod.last_mut()
        {
            *last = NEARLY_ZERO;
        }
        schedule
    }

    /// Noise level over signal level at each training time, rising.
    pub(super) fn sigmas(&self) -> Vec<f32> {
        self.alphas_cumprod.iter().map(|a| ((1.0 - a) / a).sqrt()).collect()
    }

    /// A clean sample with the noise of a whole training time, in the sample's element type.
    pub(super) fn add_noise(&self, original: &Tensor, noise: &Tensor, time: f64) -> Result<Tensor> {
        let alpha = at(&self.alphas_cumprod, time as usize)?;
        let (signal, spread) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        let noisy = combine(&[(&to_f32(original)?, signal), (&to_f32(noise)?, spread)])?;
        Ok(noisy.to_dtype(original.dtype())?)
    }
}

fn betas(settings: &Settings) -> Vec<f32> {
    if let Some(betas) = &settings.trained_betas {
        return betas.iter().map(|beta| *beta as f32).collect();
    }
    let (start, end, count) = (settings.beta_start, settings.beta_end, settings.num_train_timesteps);
    match settings.beta_schedule {
        BetaSchedule::Linear => linspace(start as f32, end as f32, count),
        BetaSchedule::ScaledLinear => {
            linspace(start.sqrt() as f32, end.sqrt() as f32, count).iter().map(|root| root * root).collect()
        }
        BetaSchedule::Squaredcos => cosine(count),
    }
}

/// `torch.linspace` in f32: from both ends to the middle, each value rounded once.
fn linspace(start: f32, end: f32, count: usize) -> Vec<f32> {
    let step = (end - start) / (count.saturating_sub(1)) as f32;
    let value = |i: usize| {
        if i < count / 2 {
            step.mul_add(i as f32, start)
        } else {
            (-step).mul_add((count - 1 - i) as f32, end)
        }
    };
    (0..count).map(value).collect()
}

/// Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models" (2021), equation 17.
fn cosine(count: usize) -> Vec<f32> {
    let signal = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::PI / 2.0).cos().powi(2);
    let beta = |i: usize| {
        let (from, to) = (i as f64 / count as f64, (i + 1) as f64 / count as f64);
        (1.0 - signal(to) / signal(from)).min(0.999) as f32
    };
    (0..count).map(beta).collect()
}

/// Lin et al., "Common Diffusion Noise Schedules and Sample Steps are Flawed" (2023), algorithm 1.
fn rescaled(betas: &[f32]) -> Vec<f32> {
    let mut roots: Vec<f32> =
        cumulative(betas.iter().map(|beta| 1.0 - beta)).iter().map(|alpha| alpha.sqrt()).collect();
    let (Some(&first), Some(&last)) = (roots.first(), roots.last()) else { return Vec::new() };
    let stretch = first / (first - last);
    for root in &mut roots {
        *root = (*root - last) * stretch;
    }
    let products: Vec<f32> = roots.iter().map(|root| root * root).collect();
    let steps = products.windows(2).map(|pair| 1.0 - pair[1] / pair[0]);
    std::iter::once(1.0 - products[0]).chain(steps).collect()
}

/// Running product: summed up in f64, each value rounded to f32.
fn cumulative(factors: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut product = 1.0_f64;
    factors
        .map(|factor| {
            product *= f64::from(factor);
            product as f32
        })
        .collect()
}
