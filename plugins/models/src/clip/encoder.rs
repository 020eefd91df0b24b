//! The transformer that CLIP's text and image encoders share: pre-norm layers of self-attention and a two-layer MLP.

use candle_core::{Module, Tensor};
use candle_nn::Linear;

use crate::Result;
use crate::attention::Attention;
use crate::layers::{TrainableNorm, linear};
use crate::tensors::Weights;

/// `hidden_act` of a CLIP configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x * sigmoid(1.702 x)`: OpenAI's models, Stable Diffusion 1.5 among them.
    QuickGelu,
    /// The exact one, with the error function: OpenCLIP's models, IP-Adapter's image encoder among them.
    Gelu,
    /// The approximation by a hyperbolic tangent: SigLIP.
    #[serde(rename = "gelu_pytorch_tanh")]
    GeluTanh,
}

impl Activation {
    pub(crate) fn forward(self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::QuickGelu => x * candle_nn::ops::sigmoid(&(x * 1.702)?)?,
            Self::Gelu => x.gelu_erf(),
            Self::GeluTanh => x.gelu(),
        }
    }
}

/// The sizes of a [`Transformer`].
pub(crate) struct Size {
    pub hidden: usize,
    pub intermediate: usize,
    pub layers: usize,
    pub heads: usize,
    pub eps: f64,
    pub activation: Activation,
}

impl Size {
    /// Why no transformer of this size can be built, if so.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self { hidden, heads, layers, .. } = *self;
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Some(format!("hidden_size {hidden} cannot be shared among num_attention_heads {heads}"));
        }
        (layers == 0).then(|| "num_hidden_layers is 0".to_owned())
    }
}

/// What a checkpoint calls the parts of a layer.
pub(crate) struct LayerNames {
    /// The list of layers.
    pub list: &'static str,
    /// Before the attention, and before the MLP.
    pub norms: [&'static str; 2],
    /// The attention.
    pub attention: &'static str,
    /// Its query, key, value and output; none where the first three are one matrix, as `torch.nn.MultiheadAttention` keeps them.
    pub projections: Option<[&'static str; 4]>,
    /// The MLP's two layers.
    pub mlp: [&'static str; 2],
}

impl LayerNames {
    /// Those of transformers.
    pub const TRANSFORMERS: Self = Self {
        list: "layers",
        norms: ["layer_norm1", "layer_norm2"],
        attention: "self_attn",
        projections: Some(["q_proj", "k_proj", "v_proj", "out_proj"]),
        mlp: ["mlp.fc1", "mlp.fc2"],
    };
    /// Those of OpenAI's code and of OpenCLIP.
    pub const OPEN_CLIP: Self = Self {
        list: "resblocks",
        norms: ["ln_1", "ln_2"],
        attention: "attn",
        projections: None,
        mlp: ["mlp.c_fc", "mlp.c_proj"],
    };
}

/// A stack of layers.
pub(crate) struct Transformer {
    layers: Vec<Layer>,
}

impl Transformer {
    /// Reads `layers.0`, `layers.1`, ... below `weights`, in the names of transformers.
    pub(crate) fn load(size: &Size, weights: &Weights) -> Result<Self> {
        Self::load_named(size, &LayerNames::TRANSFORMERS, weights)
    }

    /// Reads the layers below `weights`.
    pub(crate) fn load_named(size: &Size, names: &LayerNames, weights: &Weights) -> Result<Self> {
        let weights = weights.pp(names.list);
        let layers = (0..size.layers).map(|i| Layer::load(size, names, &weights.pp(i)));
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// `x`: (batch, tokens, hidden). `mask`: float32, broadcast to (batch, heads, tokens, tokens), added to the scores.
    /// Gives the input and the output of every layer: one tensor more than there are layers.
    pub(super) fn forward(&self, x: Tensor, mask: Option<&Tensor>) -> candle_core::Result<Vec<Tensor>> {
        self.states(x, mask, |_| true)
    }

    /// As [`Transformer::forward`], but gives only the states whose number `is_wanted`: 0 is the input.
    pub(crate) fn states(
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
    norm1: TrainableNorm,
    attention: Attention,
    norm2: TrainableNorm,
    mlp: Mlp,
}

impl Layer {
    fn load(size: &Size, names: &LayerNames, weights: &Weights) -> Result<Self> {
        let Size { hidden, intermediate, heads, eps, activation, .. } = *size;
        let (attention, [norm1, norm2]) = (weights.pp(names.attention), names.norms);
        Ok(Self {
            norm1: TrainableNorm::load(hidden, eps, &weights.pp(norm1))?,
            attention: match names.projections {
                Some(projections) => Attention::load(hidden, heads, projections, &attention)?,
                None => Attention::load_packed(hidden, heads, &attention)?,
            },
            norm2: TrainableNorm::load(hidden, eps, &weights.pp(norm2))?,
            mlp: Mlp::load_named(hidden, intermediate, activation, names.mlp, weights)?,
        })
    }

    fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let seen = self.norm1.forward(x)?;
        let x = (x + self.attention.forward(&seen, &seen, mask)?)?;
        let fed = self.mlp.forward(&self.norm2.forward(&x)?)?;
        x + fed
    }
}

/// Two layers, wide between them.
pub(crate) struct Mlp {
    up: Linear,
    activation: Activation,
    down: Linear,
}

impl Mlp {
    /// Reads `fc1` and `fc2`.
    pub(crate) fn load(
        hidden: usize,
        wide: usize,
        activation: Activation,
        weights: &Weights,
    ) -> Result<Self> {
        Self::load_named(hidden, wide, activation, ["fc1", "fc2"], weights)
    }

    fn load_named(
        hidden: usize,
        wide: usize,
        activation: Activation,
        [up, down]: [&str; 2],
        weights: &Weights,
    ) -> Result<Self> {
        let up = linear(hidden, wide, &weights.pp(up))?;
        Ok(Self { up, activation, down: linear(wide, hidden, &weights.pp(down))? })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.down.forward(&self.activation.forward(&self.up.forward(x)?)?)
    }
}
