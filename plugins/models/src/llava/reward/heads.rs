//! The two heads: linear layers without bias from the language model's width to two numbers.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};

use crate::decoder::by_weight;
use crate::layers::linear_no_bias;
use crate::tensors::Weights;
use crate::torch_rng::Generator;
use crate::training::{Gradients, sigmoid};
use crate::{ModelError, Result};

/// Names of the heads in checkpoints.
const SIDE: &str = "score.weight";
const POINT: &str = "sku_ctr_linear_fc.0.weight";

/// The standard deviation that transformers begins a head with (`initializer_range`).
const SPREAD: f64 = 0.02;

/// Where the heads of a model come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadSource {
    /// The checkpoint, which has them.
    Checkpoint,
    /// The checkpoint if it has them, and else new ones, which mean nothing before they are trained: that for the side is drawn from
    /// N(0, 0.02^2) by a `torch.Generator` of this seed, as transformers begins its heads, and that for the rates is zero.
    New(u64),
}

/// The heads with their weights, in float32. What is set in their variables is what they say.
#[derive(Clone, Debug)]
pub struct Heads {
    side: Var,
    point: Var,
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
        let variable = |name: &str, weight: &Tensor| {
            let expected = vec![2, side.dims().get(1).copied().unwrap_or_default()];
            if weight.dims() != expected {
                let (name, found) = (name.to_owned(), weight.dims().to_vec());
                return Err(ModelError::Shape { name, found, expected });
            }
            // A copy: the checkpoint's tensor may be shared.
            Ok(Var::from_tensor(&weight.detach().to_dtype(DType::F32)?.copy()?)?)
        };
        Ok(Self { side: variable(SIDE, side)?, point: variable(POINT, point)? })
    }

    fn untrained(hidden: usize, seed: u64, device: &Device) -> Result<Self> {
        let side = (Generator::cpu(seed).randn(&[2, hidden], DType::F32)? * SPREAD)?;
        Self::new(&side.to_device(device)?, &Tensor::zeros((2, hidden), DType::F32, device)?)
    }

    /// Takes them out of a checkpoint, or makes them.
    pub(super) fn load(root: &Weights, hidden: usize, source: HeadSource) -> Result<Self> {
        let lacks: Vec<&str> = [SIDE, POINT].into_iter().filter(|name| !root.has(name)).collect();
        match source {
            HeadSource::New(seed) if lacks.len() == 2 => Self::untrained(hidden, seed, root.device()),
            _ if lacks.is_empty() => {
                let head = |name: &str| {
                    linear_no_bias(hidden, 2, &root.pp(name.strip_suffix(".weight").unwrap_or(name)))
                };
                Self::new(head(SIDE)?.weight(), head(POINT)?.weight())
            }
            _ => Err(ModelError::Unfit {
                label: root.label().to_owned(),
                reason: format!(
                    "this is a base model: it has no {}; a reward model is a LLaVA with both heads that was trained on pairs of \
                     creatives with their click-through rates, so train one, or name the checkpoint of one",
                    lacks.join(" and no ")
                ),
            }),
        }
    }

    /// Refuses a checkpoint that has them where a model is wanted that speaks.
    pub(in crate::llava) fn refuse(root: &Weights) -> Result<()> {
        if !(root.has(SIDE) && root.has(POINT)) {
            return Ok(());
        }
        Err(ModelError::Unfit {
            label: root.label().to_owned(),
            reason: format!(
                "this is a reward model: it has {SIDE} and {POINT}, with which it judges creatives, and it was \
                 trained to write nothing; load it as a reward model, or name the checkpoint of a prompt model"
            ),
        })
    }

    /// Whether a tensor of a checkpoint is one of theirs.
    pub(in crate::llava) fn has(name: &str) -> bool {
        [SIDE, POINT].contains(&name)
    }

    /// Their weights by their names in checkpoints.
    pub fn variables(&self) -> BTreeMap<String, Var> {
        [(SIDE.to_owned(), self.side.clone()), (POINT.to_owned(), self.point.clone())].into()
    }

    /// Scores of the sides and rates, (rows, 2) each, for last hidden states (rows, hidden). Differentiable by both and by their
    /// weights.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn forward(&self, last: &Tensor) -> Result<(Tensor, Tensor)> {
        let last = last.to_dtype(DType::F32)?.contiguous()?;
        let through = |head: &Var| last.matmul(&head.as_tensor().t()?);
        Ok((through(&self.side)?, through(&self.point)?))
    }

    /// Adds the gradients by their weights, from those by their numbers, (rows, 2) each, and gives the one by `last`.
    ///
    /// # Errors
    /// Failures of the device.
    pub(super) fn backward(
        &self,
        last: &Tensor,
        [by_sides, by_rates]: [&Tensor; 2],
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let last = last.to_dtype(DType::F32)?;
        gradients.add(SIDE, &by_weight(&last, by_sides)?)?;
        gradients.add(POINT, &by_weight(&last, by_rates)?)?;
        let back = |head: &Var, by: &Tensor| by.matmul(&head.as_detached_tensor());
        Ok((back(&self.side, by_sides)? + back(&self.point, by_rates)?)?)
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
            left: sigmoid(f64::from(side[0]) - f64::from(side[1])),
            rates: [f64::from(point[0]), f64::from(point[1])],
        };
        Ok(sides.iter().zip(&points).map(judgement).collect())
    }
}
