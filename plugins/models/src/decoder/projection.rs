//! A linear layer of a decoder: frozen weights in whatever form is fastest, and an adapter that may be trained; or weights that are
//! trained themselves, of which the fast form is a copy.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{D, DType, Device, Tensor};

use super::Pass;
use super::gradient::{with_backward, with_backward2, with_backward3};
use crate::cpu::{self, linear::Packed};
use crate::lora::adapter::LoraLayer;
use crate::tensors::{Parameter, Weights};
use crate::{ModelError, Result};

/// `torch.nn.Linear`, with or without LoRA.
pub(crate) struct Projection {
    frozen: Frozen,
    bias: Option<Tensor>,
    inputs: usize,
    outputs: usize,
    adapter: Option<LoraLayer>,
    /// The weights from before the first merge, if something was merged.
    original: Option<Frozen>,
    /// Where weights and bias are trained themselves: these are what `frozen` was made of.
    own: Option<Own>,
}

/// Weights that are trained.
struct Own {
    weight: Parameter,
    bias: Option<Parameter>,
}

/// Weights `(outputs, inputs)` that are not trained.
#[derive(Clone)]
pub(crate) enum Frozen {
    /// float32 on the CPU, in the kernels' layout: a row of the product is the same bits whatever other rows there are.
    Packed(Arc<Packed>),
    /// Any other type or device.
    Plain(Tensor),
    /// GGUF's blocks.
    Quantised(Arc<QTensor>),
}

impl Frozen {
    /// Takes `weight`, `(outputs, inputs)`.
    pub(crate) fn new(weight: Tensor) -> Result<Self> {
        if !cpu::takes(&weight) {
            return Ok(Self::Plain(weight));
        }
        let (outputs, inputs) = weight.dims2()?;
        let packed = cpu::with_values([&weight], |[values]| Ok(Packed::new(values, None, inputs, outputs)))?;
        Ok(packed.map_or(Self::Plain(weight), |packed| Self::Packed(Arc::new(packed))))
    }

    /// Takes GGUF's blocks; those that are floats are unpacked.
    pub(crate) fn quantised(weight: QTensor, dtype: DType, device: &Device) -> Result<Self> {
        match weight.dtype() {
            GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16 => {
                Self::new(weight.dequantize(device)?.to_dtype(dtype)?)
            }
            _ => Ok(Self::Quantised(Arc::new(weight))),
        }
    }

    /// `x W^T` for `x` `(.., inputs)`, without a graph.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Packed(packed) => {
                let values = cpu::with_values([x], |[x]| Ok(packed.run(x)))?;
                Ok(Tensor::from_vec(values, with_width(x, packed.outputs()), &Device::Cpu)?)
            }
            Self::Plain(weight) => {
                let (outputs, inputs) = weight.dims2()?;
                let rows = x.reshape(((), inputs))?;
                Ok(rows.matmul(&weight.t()?)?.reshape(with_width(x, outputs))?)
            }
            Self::Quantised(weight) => Ok(x.contiguous()?.apply_op1_no_bwd(weight.as_ref())?),
        }
    }

    /// `grad W` for `grad` `(.., outputs)`: the input's gradient.
    pub(crate) fn backward(&self, grad: &Tensor) -> candle_core::Result<Tensor> {
        let plain = |weight: &Tensor| {
            let (outputs, inputs) = weight.dims2()?;
            let rows = grad.reshape(((), outputs))?;
            rows.matmul(&weight.to_dtype(grad.dtype())?)?.reshape(with_width(grad, inputs))
        };
        match self {
            Self::Packed(packed) => {
                let values = cpu::with_values([grad], |[grad]| Ok(packed.run_back(grad)))
                    .map_err(candle_core::Error::wrap)?;
                Tensor::from_vec(values, with_width(grad, packed.inputs()), &Device::Cpu)
            }
            Self::Plain(weight) => plain(weight),
            Self::Quantised(weight) => plain(&weight.dequantize(grad.device())?),
        }
    }

    /// The weights as one tensor `(outputs, inputs)`, a copy if they are held in another form.
    pub(crate) fn to_tensor(&self, device: &Device) -> Result<Tensor> {
        match self {
            Self::Packed(packed) => {
                let shape = (packed.outputs(), packed.inputs());
                Ok(Tensor::from_vec(packed.unpacked(), shape, &Device::Cpu)?)
            }
            Self::Plain(weight) => Ok(weight.clone()),
            Self::Quantised(weight) => Ok(weight.dequantize(device)?),
        }
    }

    /// Rows of the weights, `(ids, inputs)`: how the weights are an embedding.
    pub(crate) fn rows(&self, ids: &[u32], device: &Device) -> Result<Tensor> {
        match self {
            Self::Packed(packed) => {
                let values: Vec<f32> = ids.iter().flat_map(|id| packed.row(*id as usize)).collect();
                Ok(Tensor::from_vec(values, (ids.len(), packed.inputs()), &Device::Cpu)?)
            }
            Self::Plain(weight) => Ok(weight.index_select(&Tensor::new(ids, device)?, 0)?),
            Self::Quantised(weight) => Ok(weight.embedding(&Tensor::new(ids, device)?)?),
        }
    }

    /// Bytes that they take.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.bytes(),
            Self::Plain(weight) => weight.elem_count() * weight.dtype().size_in_bytes(),
            Self::Quantised(weight) => weight.storage_size_in_bytes(),
        }
    }
}

/// `grad^T x`, `(outputs, inputs)`: the gradient by the weights of `x W^T`, summed over rows.
pub(crate) fn by_weight(x: &Tensor, grad: &Tensor) -> candle_core::Result<Tensor> {
    let (inputs, outputs) = (x.dim(D::Minus1)?, grad.dim(D::Minus1)?);
    grad.reshape(((), outputs))?.t()?.matmul(&x.reshape(((), inputs))?)
}

/// The shape of `x` with another last dimension.
fn with_width(x: &Tensor, width: usize) -> Vec<usize> {
    let mut shape = x.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = width;
    }
    shape
}

impl Projection {
    /// Reads `weight` and, with `bias`, `bias`.
    pub(super) fn load(inputs: usize, outputs: usize, bias: bool, weights: &Weights) -> Result<Self> {
        let weight = weights.get("weight", &[outputs, inputs])?;
        let bias = bias.then(|| weights.get("bias", &[outputs])).transpose()?;
        let own = weights.parameter("weight", &weight).map(|weight| Own {
            weight,
            bias: bias.as_ref().and_then(|bias| weights.parameter("bias", bias)),
        });
        let (frozen, bias) = (Frozen::new(weight.detach())?, bias.map(|bias| bias.detach()));
        Ok(Self { own, ..Self::of(frozen, bias, inputs, outputs) })
    }

    /// Of weights that are held already.
    pub(super) fn of(frozen: Frozen, bias: Option<Tensor>, inputs: usize, outputs: usize) -> Self {
        Self { frozen, bias, inputs, outputs, adapter: None, original: None, own: None }
    }

    /// `x`, `(.., inputs)`, to `(.., outputs)`.
    pub(crate) fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        if x.dims().last() != Some(&self.inputs) {
            return Err(ModelError::Input {
                found: format!("{:?} where a layer takes {} values", x.dims(), self.inputs),
                expected: "hidden states of the decoder's width",
            });
        }
        let frozen = self.original.as_ref().filter(|_| !pass.adapts()).unwrap_or(&self.frozen);
        let base = self.base(frozen, &x.detach())?;
        let base = if pass.is_training() { self.in_graph(frozen, x, base)? } else { base };
        match &self.adapter {
            Some(adapter) if pass.adapts() => Ok((base + adapter.forward(x, pass)?)?),
            _ => Ok(base),
        }
    }

    /// Puts the product into the graph: a path to `x`, and to the weights where they are trained.
    fn in_graph(&self, frozen: &Frozen, x: &Tensor, base: Tensor) -> Result<Tensor> {
        let frozen = frozen.clone();
        let Some(Own { weight, bias }) = &self.own else {
            return with_backward("frozen product", x, base, move |grad| frozen.backward(grad));
        };
        let seen = x.detach();
        match bias {
            None => with_backward2("product", [x, &weight.tensor], base, move |grad| {
                Ok([frozen.backward(grad)?, by_weight(&seen, grad)?])
            }),
            Some(bias) => with_backward3("product", [x, &weight.tensor, &bias.tensor], base, move |grad| {
                let rows = grad.reshape(((), grad.dim(D::Minus1)?))?;
                Ok([frozen.backward(grad)?, by_weight(&seen, grad)?, rows.sum(0)?])
            }),
        }
    }

    /// Weights and biases that are trained.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.own.iter().flat_map(|own| std::iter::once(&own.weight).chain(&own.bias))
    }

    /// Takes the trained weights into their fast form, after they were set.
    pub(super) fn refresh(&mut self) -> Result<()> {
        if let Some(own) = &self.own {
            self.frozen = Frozen::new(own.weight.tensor.detach())?;
        }
        Ok(())
    }

    fn base(&self, frozen: &Frozen, x: &Tensor) -> Result<Tensor> {
        let base = frozen.forward(x)?;
        match &self.bias {
            Some(bias) => Ok(base.broadcast_add(bias)?),
            None => Ok(base),
        }
    }

    /// A layer over the same weights, without the adapter.
    pub(super) fn share(&self) -> Self {
        Self::of(self.frozen.clone(), self.bias.clone(), self.inputs, self.outputs)
    }

    /// (inputs, outputs).
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
    }

    pub(crate) fn frozen(&self) -> &Frozen {
        &self.frozen
    }

    /// Takes weights into which the adapter went, and lets go of it.
    pub(super) fn merge(&mut self, merged: Frozen) {
        let before = std::mem::replace(&mut self.frozen, merged);
        self.original.get_or_insert(before);
        self.adapter = None;
    }

    pub(super) fn unmerge(&mut self) {
        if let Some(original) = self.original.take() {
            self.frozen = original;
        }
    }

    pub(super) fn keep_merged(&mut self) {
        self.original = None;
    }

    pub(crate) fn adapter(&self) -> Option<&LoraLayer> {
        self.adapter.as_ref()
    }

    pub(crate) fn set_adapter(&mut self, adapter: Option<LoraLayer>) {
        self.adapter = adapter;
    }
}
