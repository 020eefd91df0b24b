//! What a network knows of the time step: sinusoids of it, through two linear layers.

use candle_core::{DType, Device, Tensor};

use super::config::EncoderConfig;
use super::nn::{self, Linear};
use crate::tensors::Weights;
use crate::{ModelError, Result};

/// Longest period of the sinusoids, in steps ("Attention Is All You Need", section 3.5).
const MAX_PERIOD: f64 = 10_000.0;

/// Sinusoids and the two linear layers behind them.
pub struct TimeEmbedding {
    width: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    guidance: Option<Linear>,
    linear_1: Linear,
    linear_2: Linear,
}

impl TimeEmbedding {
    /// Loads `time_embedding`; `weights` is the network's root.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn new(config: &EncoderConfig, weights: &Weights) -> Result<Self> {
        let weights = weights.pp("time_embedding");
        let (width, hidden) = (config.first_channels(), config.time_dim());
        let guidance = config
            .time_cond_dim
            .map(|dim| nn::linear_no_bias(dim, width, &weights.pp("cond_proj")))
            .transpose()?;
        Ok(Self {
            width,
            flip_sin_to_cos: config.flip_sin_to_cos,
            freq_shift: config.freq_shift,
            guidance,
            linear_1: nn::linear(width, hidden, &weights.pp("linear_1"))?,
            linear_2: nn::linear(hidden, hidden, &weights.pp("linear_2"))?,
        })
    }

    /// `(batch, 4 * channels)` for one time step, or one for each sample. `guidance`, `(batch, time_cond_dim)`, is the
    /// guidance scale's embedding ([`sinusoids`] of 1000 times the scale less one) for checkpoints that want it (LCM).
    ///
    /// # Errors
    /// [`ModelError::Input`] if the number of time steps is neither 1 nor `batch`, or guidance does not fit.
    pub fn forward(
        &self,
        timesteps: &[f64],
        batch: usize,
        guidance: Option<&Tensor>,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        if timesteps.len() != 1 && timesteps.len() != batch {
            let found = format!("{} time steps for {batch} samples", timesteps.len());
            return Err(ModelError::Input { found, expected: "one time step, or one for each sample" });
        }
        let waves = sinusoids(timesteps, self.width, self.flip_sin_to_cos, self.freq_shift, device)?;
        let waves = waves.to_dtype(dtype)?.broadcast_as((batch, self.width))?.contiguous()?;
        let waves = match (&self.guidance, guidance) {
            (Some(layer), Some(guidance)) => (waves + layer.forward(&guidance.to_dtype(dtype)?)?)?,
            (None, Some(guidance)) => {
                let found = format!("a guidance embedding {:?}", guidance.dims());
                return Err(ModelError::Input {
                    found,
                    expected: "none: the UNet has no time_cond_proj_dim",
                });
            }
            (_, None) => waves,
        };
        self.linear_2.forward(&nn::silu(&self.linear_1.forward(&waves)?)?)
    }
}

/// Sinusoids of each time step, float32 `(len, width)`: frequencies `10000^(-i / (width / 2 - shift))`, sines first
/// unless `flip`. Rounded to float32 at each stage, as PyTorch does: at step 999 the phase is known to 6e-5 only.
///
/// # Errors
/// Failures of the device.
pub fn sinusoids(timesteps: &[f64], width: usize, flip: bool, shift: f64, device: &Device) -> Result<Tensor> {
    let half = width / 2;
    let divisor = (half as f64 - shift) as f32;
    let frequency = |i: usize| {
        let exponent = (-MAX_PERIOD.ln()) as f32 * i as f32 / divisor;
        f64::from(exponent).exp() as f32
    };
    let frequencies: Vec<f32> = (0..half).map(frequency).collect();
    let mut values = Vec::with_capacity(timesteps.len() * width);
    for t in timesteps {
        let phase = |f: &f32| f64::from(*t as f32 * f);
        let sines = frequencies.iter().map(|f| phase(f).sin() as f32);
        let cosines = frequencies.iter().map(|f| phase(f).cos() as f32);
        if flip {
            values.extend(cosines.chain(sines));
        } else {
            values.extend(sines.chain(cosines));
        }
        values.extend(std::iter::repeat_n(0.0, width - 2 * half));
    }
    Ok(Tensor::from_vec(values, (timesteps.len(), width), device)?)
}
