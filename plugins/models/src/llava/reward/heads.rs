//! The two heads: linear layers without bias from the language model's width to two numbers.

use candle_core::{DType, Module, Tensor};
use candle_nn::Linear;

use crate::layers::linear_no_bias;
use crate::tensors::Weights;
use crate::{ModelError, Result};

/// Names of the heads in checkpoints.
const SIDE: &str = "score";
const POINT: &str = "sku_ctr_linear_fc.0";

/// The heads with their weights, in float32.
#[derive(Clone, Debug)]
pub struct Heads {
    side: Linear,
    point: Linear,
}

/// What the heads say of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// Probability that users prefer the left creative.
    pub left: f64,
    /// Predicted click-through rates of the left and of the right one, as the head gives them: nothing keeps them in [0, 1].
    pub rates: [f64; 2],
}

impl Judgement {
    /// The same of the pair with its sides exchanged.
    #[must_use]
    pub fn turned(&self) -> Self {
        Self { left: 1.0 - self.left, rates: [self.rates[1], self.rates[0]] }
    }

    pub(super) fn mean(&self, other: &Self) -> Self {
        let mean = |a: f64, b: f64| (a + b) / 2.0;
        let rates = [mean(self.rates[0], other.rates[0]), mean(self.rates[1], other.rates[1])];
        Self { left: mean(self.left, other.left), rates }
    }
}

impl Heads {
    /// Heads from their weights, each (2, hidden).
    ///
    /// # Errors
    /// [`ModelError::Shape`] for other shapes, and failures of the device.
    pub fn new(side: &Tensor, point: &Tensor) -> Result<Self> {
        let linear = |name: &str, weight: &Tensor| {
            let expected = vec![2, side.dims().get(1).copied().unwrap_or_default()];
            if weight.dims() != expected {
                let (name, found) = (format!("{name}.weight"), weight.dims().to_vec());
                return Err(ModelError::Shape { name, found, expected });
            }
            Ok(Linear::new(weight.to_dtype(DType::F32)?, None))
        };
        Ok(Self { side: linear(SIDE, side)?, point: linear(POINT, point)? })
    }

    /// Takes them out of a checkpoint.
    pub(super) fn load(root: &Weights, hidden: usize) -> Result<Self> {
        let lacks: Vec<String> = [SIDE, POINT]
            .iter()
            .map(|name| format!("{name}.weight"))
            .filter(|name| !root.has(name))
            .collect();
        if !lacks.is_empty() {
            return Err(ModelError::Unfit {
                label: root.label().to_owned(),
                reason: format!(
                    "this is a base model: it has no {}; a reward model is a LLaVA with both heads that was trained on pairs of \
                     creatives with their click-through rates, so train one, or name the checkpoint of one",
                    lacks.join(" and no ")
                ),
            });
        }
        let head = |name: &str| linear_no_bias(hidden, 2, &root.pp(name));
        Self::new(head(SIDE)?.weight(), head(POINT)?.weight())
    }

    /// Refuses a checkpoint that has them where a model is wanted that speaks.
    pub(in crate::llava) fn refuse(root: &Weights) -> Result<()> {
        let has = |name: &str| root.has(&format!("{name}.weight"));
        if !(has(SIDE) && has(POINT)) {
            return Ok(());
        }
        Err(ModelError::Unfit {
            label: root.label().to_owned(),
            reason: format!(
                "this is a reward model: it has {SIDE}.weight and {POINT}.weight, with which it judges creatives, and it was \
                 trained to write nothing; load it as a reward model, or name the checkpoint of a prompt model"
            ),
        })
    }

    /// Scores of the sides and rates, (rows, 2) each, for last hidden states (rows, hidden). Differentiable.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn forward(&self, last: &Tensor) -> Result<(Tensor, Tensor)> {
        let last = last.to_dtype(DType::F32)?.contiguous()?;
        Ok((self.side.forward(&last)?, self.point.forward(&last)?))
    }

    /// What they say of each row.
    ///
    /// # Errors
    /// [`ModelError::Numerical`] for NaN or infinity, and failures of the device.
    pub fn judge(&self, last: &Tensor) -> Result<Vec<Judgement>> {
        let (sides, points) = self.forward(last)?;
        let (sides, points) = (sides.to_vec2::<f32>()?, points.to_vec2::<f32>()?);
        if sides.iter().chain(&points).flatten().any(|value| !value.is_finite()) {
            return Err(ModelError::Numerical {
                what: "the reward model's scores",
                mend: "use float32 or bfloat16 for the weights",
            });
        }
        let judgement = |(side, point): (&Vec<f32>, &Vec<f32>)| Judgement {
            // The softmax of two scores.
            left: logistic(f64::from(side[0]) - f64::from(side[1])),
            rates: [f64::from(point[0]), f64::from(point[1])],
        };
        Ok(sides.iter().zip(&points).map(judgement).collect())
    }
}

/// Such that `logistic(-x)` is `1 - logistic(x)`.
fn logistic(x: f64) -> f64 {
    if x < 0.0 { 1.0 - logistic(-x) } else { 1.0 / (1.0 + (-x).exp()) }
}
