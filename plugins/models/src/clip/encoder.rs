//! The transformer that CLIP's text and image encoders share: pre-norm layers of self-attention and a two-layer MLP.

use candle_core::{D, DType, Module, Tensor};
use candle_nn::{LayerNorm, Linear};

use crate::Result;
use crate::layers::{layer_norm, linear};
use crate::tensors::Weights;

/// `hidden_act` of a CLIP configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x * sigmoid(1.702 x)`: OpenAI's models, Stable Diffusion 1.5 among them.
    QuickGelu,
    /// The exact one, with the error function: OpenCLIP's models, IP-Adapter's image encoder among them.
    Gelu,
}

impl Activation {
    pub(crate) fn forward(self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::QuickGelu => x * candle_nn::ops::sigmoid(&(x * 1.702)?)?,
            Self::Gelu => x.gelu_erf(),
        }
    }
}

/// The sizes of a [`Transformer`].
pub(super) struct Size {
    pub hidden: usize,
    pub intermediate: usize,
    pub layers: usize,
    pub heads: usize,
    pub eps: f64,
    pub activation: Activation,
}

impl Size {
    /// Why no transformer of this size can be built, if so.
    pub(super) fn fault(&self) -> Option<String> {
        let Self { hidden, heads, layers, .. } = *self;
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Some(format!("hidden_size {hidden} cannot be shared among num_attention_heads {heads}"));
        }
        (layers == 0).then(|| "num_hidden_layers is 0".to_owned())
    }
}

/// A stack of layers.
pub(super) struct Transformer {
    layers: Vec<Layer>,
}

impl Transformer {
    /// Reads `layers.0`, `layers.1`, ... below `weights`.
    pub(super) fn load(size: &Size, weights: &Weights) -> Result<Self> {
        let weights = weights.pp("layers");
        let layers = (0..size.layers).map(|i| Layer::load(size, &weights.pp(i))).collect::<Result<_>>()?;
        Ok(Self { layers })
    }

    /// `x`: (batch, tokens, hidden). `mask`: float32, broadcast to (batch, heads, tokens, tokens), added to the scores.
    /// Gives the input and the output of every layer: one tensor more than there are layers.
    pub(super) fn forward(&self, x: Tensor, mask: Option<&Tensor>) -> candle_core::Result<Vec<Tensor>> {
        self.states(x, mask, |_| true)
    }

    /// As [`Transformer::forward`], but gives only the states whose number `is_wanted`: 0 is the input.
    pub(super) fn states(
        &self,
        x: Tensor,
        mask: Option<&Tensor>,
        is_wanted: impl Fn(usize) -> bool,
    ) -> candle_core::Result<Vec<Tensor>> {
        let mut states = Vec::new();
        let mut x = x;
        for (number, layer) in self.layers.iter().enumerate() {
            let next = layer.forward(&x, mask)?;
            if is_wanted(number) {
                states.push(x);
            }
            x = next;
        }
        if is_wanted(self.layers.len()) {
            states.push(x);
        }
        Ok(states)
    }
}

struct Layer {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    up: Linear,
    activation: Activation,
    down: Linear,
}

impl Layer {
    fn load(size: &Size, weights: &Weights) -> Result<Self> {
        let mlp = weights.pp("mlp");
        Ok(Self {
            norm1: layer_norm(size.hidden, size.eps, &weights.pp("layer_norm1"))?,
            attention: Attention::load(size, &weights.pp("self_attn"))?,
            norm2: layer_norm(size.hidden, size.eps, &weights.pp("layer_norm2"))?,
            up: linear(size.hidden, size.intermediate, &mlp.pp("fc1"))?,
            activation: size.activation,
            down: linear(size.intermediate, size.hidden, &mlp.pp("fc2"))?,
        })
    }

    fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let x = (x + self.attention.forward(&self.norm1.forward(x)?, mask)?)?;
        let wide = self.activation.forward(&self.up.forward(&self.norm2.forward(&x)?)?)?;
        x + self.down.forward(&wide)?
    }
}

struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

impl Attention {
    fn load(size: &Size, weights: &Weights) -> Result<Self> {
        let projection = |name: &str| linear(size.hidden, size.hidden, &weights.pp(name));
        Ok(Self {
            query: projection("q_proj")?,
            key: projection("k_proj")?,
            value: projection("v_proj")?,
            out: projection("out_proj")?,
            heads: size.heads,
        })
    }

    /// softmax(Q Kᵀ / √d + mask) V per head, the softmax in float32.
    fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let (batch, tokens, hidden) = x.dims3()?;
        let width = hidden / self.heads;
        let split = |projection: &Linear| {
            projection.forward(x)?.reshape((batch, tokens, self.heads, width))?.transpose(1, 2)?.contiguous()
        };
        let (query, key, value) = (split(&self.query)?, split(&self.key)?, split(&self.value)?);
        let query = (query * (width as f64).powf(-0.5))?;
        let mut scores = query.matmul(&key.t()?)?.to_dtype(DType::F32)?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(mask)?;
        }
        let shares = candle_nn::ops::softmax(&scores, D::Minus1)?.to_dtype(x.dtype())?;
        let mixed = shares.matmul(&value)?.transpose(1, 2)?.reshape((batch, tokens, hidden))?;
        self.out.forward(&mixed)
    }
}
