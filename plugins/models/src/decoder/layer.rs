//! One layer: attention and a gated feed-forward part, each behind a norm and around a residual.

use candle_core::{Device, Tensor};

use super::attention::{Sight, attend, attend_with_gradient};
use super::cache::LayerCache;
use super::gradient::with_backward2;
use super::norm::RmsNorm;
use super::projection::Projection;
use super::rope::Turn;
use super::{DecoderConfig, Pass};
use crate::Result;
use crate::cpu::{self, math};
use crate::tensors::{Parameter, Weights};

/// The linear layers of a layer, in the order of [`MODULES`].
const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;
const OUTPUT: usize = 3;
const GATE: usize = 4;
const UP: usize = 5;
const DOWN: usize = 6;

/// Names of the linear layers within a layer.
pub const MODULES: [&str; 7] = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
];

/// What all layers of a forward pass share.
pub(crate) struct Step {
    pub(super) turn: Turn,
    pub(super) sight: Sight,
    pub(super) pass: Pass,
}

impl Step {
    pub(crate) fn pass(&self) -> Pass {
        self.pass
    }
}

/// `LlamaDecoderLayer`.
pub(crate) struct Layer {
    before_attention: RmsNorm,
    before_mlp: RmsNorm,
    projections: [Projection; 7],
    window: Option<usize>,
}

/// (inputs, outputs, bias) of each linear layer.
pub(super) fn sizes(config: &DecoderConfig) -> [(usize, usize, bool); 7] {
    let (hidden, wide) = (config.hidden_size, config.intermediate_size);
    let queries = config.num_attention_heads * config.head_dim;
    let keys = config.num_key_value_heads * config.head_dim;
    [
        (hidden, queries, config.qkv_bias),
        (hidden, keys, config.qkv_bias),
        (hidden, keys, config.qkv_bias),
        (queries, hidden, config.output_bias),
        (hidden, wide, config.mlp_bias),
        (hidden, wide, config.mlp_bias),
        (wide, hidden, config.mlp_bias),
    ]
}

impl Layer {
    /// Reads layer `index` below `weights`; `projection` makes a linear layer from its number, size and place.
    pub(super) fn load(
        config: &DecoderConfig,
        index: usize,
        weights: &Weights,
        mut projection: impl FnMut(usize, (usize, usize, bool)) -> Result<Projection>,
    ) -> Result<Self> {
        let norm = |name| RmsNorm::load(config.hidden_size, config.rms_norm_eps, &weights.pp(name));
        let (before_attention, before_mlp) = (norm("input_layernorm")?, norm("post_attention_layernorm")?);
        let mut projections = Vec::with_capacity(MODULES.len());
        for (number, size) in sizes(config).into_iter().enumerate() {
            projections.push(projection(number, size)?);
        }
        let projections =
            projections.try_into().map_err(|_| candle_core::Error::Msg("seven layers".into()))?;
        Ok(Self { before_attention, before_mlp, projections, window: config.windows[index] })
    }

    /// `x`, `(rows, tokens, hidden)`, to the same shape.
    pub(crate) fn forward(&self, x: &Tensor, step: &Step, cache: Option<&mut LayerCache>) -> Result<Tensor> {
        let normed = self.before_attention.forward(x, step.pass)?;
        let x = (x + self.attention(&normed, step, cache)?)?;
        let normed = self.before_mlp.forward(&x, step.pass)?;
        Ok((&x + self.feed_forward(&normed, step.pass)?)?)
    }

    fn attention(&self, x: &Tensor, step: &Step, cache: Option<&mut LayerCache>) -> Result<Tensor> {
        let Sight { heads, kv_heads, head, .. } = step.sight;
        let (rows, tokens, _) = x.dims3()?;
        let project = |number: usize| self.projections[number].forward(x, step.pass);
        let (query, key, value) = (project(QUERY)?, project(KEY)?, project(VALUE)?);
        let turned = |x: Tensor, heads: usize| -> Result<Tensor> {
            let parts = x.reshape((rows, tokens, heads, head))?;
            let turned = match step.pass {
                Pass::Training { .. } => step.turn.apply_with_gradient(&parts)?,
                Pass::Inference | Pass::Reference => step.turn.apply(&parts)?,
            };
            Ok(turned.reshape((rows, tokens, heads * head))?)
        };
        let (query, key) = (turned(query, heads)?, turned(key, kv_heads)?);
        let mixed = match (step.pass, cache) {
            (Pass::Training { .. }, _) => {
                attend_with_gradient(&step.sight, self.window, &query, &key, &value)?
            }
            (_, None) => attend(&step.sight, self.window, &query, &key, &value)?,
            (_, Some(cache)) => {
                let (keys, values) = cache.append(&key, &value)?;
                attend(&step.sight, self.window, &query, &keys, &values)?
            }
        };
        self.projections[OUTPUT].forward(&mixed, step.pass)
    }

    fn feed_forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        let gate = self.projections[GATE].forward(x, pass)?;
        let up = self.projections[UP].forward(x, pass)?;
        self.projections[DOWN].forward(&gated(&gate, &up, pass)?, pass)
    }

    /// A layer over the same weights, without adapters.
    pub(super) fn share(&self) -> Self {
        Self {
            before_attention: self.before_attention.clone(),
            before_mlp: self.before_mlp.clone(),
            projections: self.projections.each_ref().map(Projection::share),
            window: self.window,
        }
    }

    /// What of it is trained itself, its adapter not counted.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let norms = [&self.before_attention, &self.before_mlp].into_iter().filter_map(RmsNorm::parameter);
        norms.chain(self.projections.iter().flat_map(Projection::parameters))
    }

    /// The linear layers, in the order of [`MODULES`].
    pub(crate) fn projections(&self) -> &[Projection; 7] {
        &self.projections
    }

    pub(crate) fn projections_mut(&mut self) -> &mut [Projection; 7] {
        &mut self.projections
    }
}

/// `silu(gate) * up` (Shazeer, "GLU variants improve transformer", 2020).
fn gated(gate: &Tensor, up: &Tensor, pass: Pass) -> Result<Tensor> {
    let run = |gate: &Tensor, up: &Tensor| -> Result<Tensor> {
        let Some(set) = cpu::set().filter(|_| cpu::takes(gate) && cpu::takes(up)) else {
            return Ok((gate.silu()? * up)?);
        };
        let values = cpu::with_values([gate, up], |[gate, up]| Ok(math::swiglu(set, gate, up)))?;
        Ok(Tensor::from_vec(values, gate.dims(), &Device::Cpu)?)
    };
    if !pass.is_training() {
        return run(gate, up);
    }
    let (g, u) = (gate.detach(), up.detach());
    let result = run(&g, &u)?;
    with_backward2("gate", [gate, up], result, move |grad| {
        // silu(g) = g s with s = sigmoid(g); its derivative is s (1 + g (1 - s)).
        let s = candle_nn::ops::sigmoid(&g)?;
        let slope = (&s * (((1.0 - &s)? * &g)? + 1.0)?)?;
        Ok([((grad * &u)? * slope)?, (grad * (&g * s)?)?])
    })
}
