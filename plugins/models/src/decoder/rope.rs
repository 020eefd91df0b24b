//! Rotary positions (Su et al., "RoFormer", 2021): pairs of values of a head are turned by angles that grow with the
//! position, value `i` with value `i + head_dim / 2`.

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use super::gradient::with_backward;
use crate::Result;

/// Base and scaling of the angles.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// The base.
    pub theta: f64,
    /// How it is stretched for longer sequences.
    pub scaling: Scaling,
}

/// Kinds of scaling, with transformers' names and parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// `default`.
    None,
    /// `linear`: all frequencies divided by the factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// `dynamic`: a larger base as soon as the sequence is longer than the model was trained for (NTK-aware).
    Dynamic {
        /// The factor.
        factor: f64,
        /// `max_position_embeddings`.
        trained: usize,
    },
    /// `llama3`: low frequencies divided by the factor, high ones kept, those between blended.
    Llama3 {
        /// The factor.
        factor: f64,
        /// Wavelengths above `original / low_freq_factor` are stretched.
        low_freq_factor: f64,
        /// Wavelengths below `original / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// `original_max_position_embeddings`.
        original: usize,
    },
    /// A divisor for each pair, as GGUF files keep LLaMA 3's.
    Pairs {
        /// The divisors, `head_dim / 2` of them.
        factors: Vec<f32>,
    },
}

impl Scaling {
    /// From `rope_scaling` or `rope_parameters`.
    pub(super) fn from_json(value: &Value, trained: usize) -> std::result::Result<Self, String> {
        let kind = value.get("rope_type").or_else(|| value.get("type")).and_then(Value::as_str);
        let number = |name: &str| {
            let found = value.get(name).and_then(Value::as_f64).filter(|v| *v > 0.0 && v.is_finite());
            found.ok_or_else(|| format!("{name} of the rotary scaling is missing or not above 0"))
        };
        match kind {
            None | Some("default") => Ok(Self::None),
            Some("linear") => Ok(Self::Linear { factor: number("factor")? }),
            Some("dynamic") => Ok(Self::Dynamic { factor: number("factor")?, trained }),
            Some("llama3") => Ok(Self::Llama3 {
                factor: number("factor")?,
                low_freq_factor: number("low_freq_factor")?,
                high_freq_factor: number("high_freq_factor")?,
                original: number("original_max_position_embeddings")? as usize,
            }),
            Some(other) => {
                Err(format!("rotary scaling {other} is not known; default, linear, dynamic and llama3 are"))
            }
        }
    }
}

impl Rope {
    /// Angle by position of each pair, `head_dim / 2` values, for sequences of `length` tokens. In float32, as PyTorch
    /// computes them: an angle is a position times a rounded frequency.
    pub fn frequencies(&self, head_dim: usize, length: usize) -> Vec<f32> {
        let plain = |theta: f64| -> Vec<f32> {
            let exponents = (0..head_dim / 2).map(|i| (2 * i) as f32 / head_dim as f32);
            exponents.map(|e| 1.0 / (theta.powf(f64::from(e)) as f32)).collect()
        };
        match &self.scaling {
            Scaling::None => plain(self.theta),
            Scaling::Pairs { factors } => {
                plain(self.theta).iter().zip(factors).map(|(f, by)| f / by).collect()
            }
            Scaling::Linear { factor } => plain(self.theta).into_iter().map(|f| f / *factor as f32).collect(),
            Scaling::Dynamic { factor, trained } => {
                if length <= *trained {
                    return plain(self.theta);
                }
                // transformers has the length in a tensor, and so the base in float32.
                let stretch = *factor as f32 * length as f32 / *trained as f32 - (*factor - 1.0) as f32;
                let width = head_dim as f64;
                let growth = f64::from(stretch).powf(width / (width - 2.0)) as f32;
                plain(f64::from(self.theta as f32 * growth))
            }
            Scaling::Llama3 { factor, low_freq_factor, high_freq_factor, original } => {
                let (low, high) = (*low_freq_factor as f32, *high_freq_factor as f32);
                let (factor, original) = (*factor as f32, *original as f32);
                let blend = |frequency: f32| {
                    let wavelength = std::f32::consts::TAU / frequency;
                    if wavelength > original / low {
                        frequency / factor
                    } else if wavelength < original / high {
                        frequency
                    } else {
                        let share = (original / wavelength - low) / (high - low);
                        (1.0 - share) * frequency / factor + share * frequency
                    }
                };
                plain(self.theta).into_iter().map(blend).collect()
            }
        }
    }
}

/// Cosines and sines of the positions of one forward pass.
pub(super) struct Turn {
    cos: Tensor,
    sin: Tensor,
    back: Tensor,
}

impl Turn {
    /// `positions`: of each new token, row by row, `rows` rows. Sines and cosines are computed in float64 of the rounded
    /// angle.
    pub(super) fn new(
        rope: &Rope,
        head_dim: usize,
        positions: &[usize],
        rows: usize,
        (dtype, device): (DType, &Device),
    ) -> Result<Self> {
        let length = positions.iter().max().map_or(1, |last| last + 1);
        let frequencies = rope.frequencies(head_dim, length);
        let angles = positions.iter().flat_map(|p| frequencies.iter().map(move |f| f64::from(*p as f32 * f)));
        let (sin, cos): (Vec<f32>, Vec<f32>) =
            angles.map(|angle| (angle.sin() as f32, angle.cos() as f32)).unzip();
        let shape = (rows, positions.len() / rows.max(1), head_dim / 2);
        let tensor = |values: Vec<f32>| Tensor::from_vec(values, shape, device)?.to_dtype(dtype);
        let (cos, sin) = (tensor(cos)?, tensor(sin)?);
        let back = sin.neg()?;
        Ok(Self { cos, sin, back })
    }

    /// Turns `x`, `(rows, tokens, heads, head_dim)`.
    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(candle_nn::rotary_emb::rope_thd(&x.contiguous()?, &self.cos, &self.sin)?)
    }

    /// As [`Turn::apply`], in the graph: the derivative turns back.
    pub(super) fn apply_with_gradient(&self, x: &Tensor) -> Result<Tensor> {
        let turned = self.apply(&x.detach())?;
        let (cos, back) = (self.cos.clone(), self.back.clone());
        with_backward("rotary positions", x, turned, move |grad| {
            candle_nn::rotary_emb::rope_thd(&grad.contiguous()?, &cos, &back)
        })
    }
}
