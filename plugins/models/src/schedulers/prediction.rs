//! What the model's output says of the clean sample.

use candle_core::Tensor;

use super::config::Settings;
use crate::Result;

/// Limits on the predicted clean sample. All are off for latent diffusion models as published.
#[derive(Clone, Debug)]
pub(super) enum Limit {
    None,
    /// To `-range..=range`.
    Clip(f64),
    /// Dynamic thresholding of Saharia et al., "Imagen" (2022): to a quantile of each picture's absolute values, which
    /// is at least 1, and then divided by it.
    Quantile {
        ratio: f64,
        max: f64,
    },
}

impl Limit {
    pub(super) fn thresholding(settings: &Settings) -> Self {
        if settings.thresholding {
            Self::Quantile { ratio: settings.dynamic_thresholding_ratio, max: settings.sample_max_value }
        } else {
            Self::None
        }
    }

    pub(super) fn clipping(settings: &Settings) -> Self {
        match Self::thresholding(settings) {
            Self::None if settings.clip_sample => Self::Clip(settings.clip_sample_range),
            limit => limit,
        }
    }

    /// Applied to f32 samples of any shape whose first dimension is the batch.
    pub(super) fn apply(&self, sample: Tensor) -> Result<Tensor> {
        match *self {
            Self::None => Ok(sample),
            Self::Clip(range) => Ok(sample.clamp(-range as f32, range as f32)?),
            Self::Quantile { ratio, max } => threshold(&sample, ratio, max),
        }
    }
}

fn threshold(sample: &Tensor, ratio: f64, max: f64) -> Result<Tensor> {
    let flat = sample.flatten_from(1)?;
    let mut rows = Vec::new();
    for row in flat.abs()?.to_vec2::<f32>()? {
        rows.push(quantile(row, ratio).clamp(1.0, (max as f32).max(1.0)));
    }
    let bounds = Tensor::from_vec(rows, (flat.dim(0)?, 1), sample.device())?;
    let bounded = flat.broadcast_minimum(&bounds)?.broadcast_maximum(&bounds.neg()?)?;
    Ok(bounded.broadcast_div(&bounds)?.reshape(sample.dims())?)
}

/// `torch.quantile(values, q)` with linear interpolation.
fn quantile(mut values: Vec<f32>, q: f64) -> f32 {
    values.sort_by(f32::total_cmp);
    let rank = q as f32 * values.len().saturating_sub(1) as f32;
    let low = rank.floor();
    let value = |i: f32| values.get(i as usize).copied().unwrap_or(0.0);
    let (a, b) = (value(low), value(rank.ceil()));
    a + (rank - low) * (b - a)
}
