//! LoRA of a decoder, while it is trained and as PEFT keeps it.
//!
//! Beside a frozen product `W x` a layer computes `scale * up (down x)`, with `scale = alpha / rank`, or `alpha / sqrt(rank)`
//! (Hu et al., "LoRA", 2021; Kalajdzievski, "A rank stabilization scaling factor", 2023). The matrices are float32 whatever
//! the decoder's type is.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};

use crate::decoder::{Decoder, MODULES, Pass};
use crate::torch_rng::Generator;
use crate::{ModelError, Result};

/// How an adapter is made; the names are PEFT's.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraConfig {
    /// `r`.
    pub rank: usize,
    /// `lora_alpha`.
    pub alpha: f64,
    /// `lora_dropout`: the probability that a value of a layer's input is left out in training.
    pub dropout: f64,
    /// `use_rslora`.
    pub rank_stabilized: bool,
    /// `target_modules`: ends of layers' names, `q_proj` or `self_attn.q_proj`.
    pub targets: Vec<String>,
}

impl Default for LoraConfig {
    /// The paper's: rank 128, alpha 256, every linear layer of the language model.
    fn default() -> Self {
        let last = |module: &&str| module.rsplit('.').next().unwrap_or_default().to_owned();
        Self {
            rank: 128,
            alpha: 256.0,
            dropout: 0.0,
            rank_stabilized: false,
            targets: MODULES.iter().map(last).collect(),
        }
    }
}

impl LoraConfig {
    /// What the product is multiplied with.
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        if self.rank_stabilized { self.alpha / rank.sqrt() } else { self.alpha / rank }
    }

    pub(super) fn check(&self) -> std::result::Result<(), String> {
        if self.rank == 0 {
            return Err("r is 0".to_owned());
        }
        if !self.alpha.is_finite() {
            return Err(format!("lora_alpha is {}", self.alpha));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(format!("lora_dropout is {}, it must be at least 0 and below 1", self.dropout));
        }
        Ok(())
    }

    /// Whether a layer of this name is meant, as PEFT decides it.
    pub(super) fn targets(&self, name: &str) -> bool {
        let ends = |target: &String| {
            name.strip_suffix(target.as_str()).is_some_and(|b| b.is_empty() || b.ends_with('.'))
        };
        self.targets.iter().any(ends)
    }
}

/// A decoder's adapter: a pair of matrices for every layer that it changes.
#[derive(Clone)]
pub struct LoraAdapter {
    pub(super) config: LoraConfig,
    pub(super) layers: BTreeMap<String, LoraLayer>,
}

/// A pair of trainable matrices, float32: `down` `(rank, inputs)` and `up` `(outputs, rank)`.
#[derive(Clone)]
pub(crate) struct LoraLayer {
    pub name: String,
    pub down: Var,
    pub up: Var,
    pub scale: f64,
    pub dropout: f64,
}

impl LoraAdapter {
    /// A new one, which changes nothing yet: PEFT's start, `down` uniform within `1 / sqrt(inputs)` (He et al. 2015, as
    /// `torch.nn.Linear` begins) and `up` zero. `seed` is that of one `torch.Generator` for all layers, in the order of names.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] for numbers that make no sense and targets that the decoder does not have.
    pub fn new(config: LoraConfig, decoder: &Decoder, seed: u64) -> Result<Self> {
        let unfit = |reason| ModelError::Unfit { label: "the LoRA configuration".to_owned(), reason };
        config.check().map_err(unfit)?;
        let sizes: BTreeMap<String, (usize, usize)> = decoder.linear_layers().collect();
        let missing = config.targets.iter().find(|target| {
            let one = LoraConfig { targets: vec![(*target).clone()], ..config.clone() };
            !sizes.keys().any(|name| one.targets(name))
        });
        if let Some(target) = missing.filter(|_| !config.targets.is_empty()) {
            return Err(unfit(format!("the decoder has no layer {target}; it has {}", MODULES.join(", "))));
        }
        let mut generator = Generator::cpu(seed);
        let mut layers = BTreeMap::new();
        for (name, (inputs, outputs)) in sizes.into_iter().filter(|(name, _)| config.targets(name)) {
            let bound = 1.0 / (inputs as f64).sqrt();
            let down = (generator.rand(&[config.rank, inputs], DType::F32)? * (2.0 * bound))?;
            let down = (down - bound)?.to_device(decoder.device())?;
            let up = Tensor::zeros((outputs, config.rank), DType::F32, decoder.device())?;
            let layer = LoraLayer::new(name.clone(), down, up, config.scale(), config.dropout)?;
            layers.insert(name, layer);
        }
        if layers.is_empty() {
            return Err(unfit("target_modules is empty".to_owned()));
        }
        Ok(Self { config, layers })
    }

    /// How it was made.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// All matrices by name, `layers.0.self_attn.q_proj.lora_A.weight`, in the form that an optimizer takes. They are the
    /// adapter's own: what is set in them is what the decoder runs with.
    pub fn variables(&self) -> BTreeMap<String, Var> {
        self.layers.values().flat_map(LoraLayer::variables).collect()
    }

    pub(crate) fn layer(&self, name: &str) -> Option<&LoraLayer> {
        self.layers.get(name)
    }

    /// (name, inputs, outputs) of the layers that it changes.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        self.layers.iter().map(|(name, layer)| (name.as_str(), layer.down.dims()[1], layer.up.dims()[0]))
    }

    /// A copy with matrices of its own.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn duplicate(&self) -> Result<Self> {
        let copy = |layer: &LoraLayer| {
            let (down, up) = (layer.down.as_detached_tensor().copy()?, layer.up.as_detached_tensor().copy()?);
            LoraLayer::new(layer.name.clone(), down, up, layer.scale, layer.dropout)
        };
        let layers = self.layers.iter().map(|(name, layer)| Ok((name.clone(), copy(layer)?)));
        Ok(Self { config: self.config.clone(), layers: layers.collect::<Result<_>>()? })
    }
}

impl LoraLayer {
    pub(super) fn new(name: String, down: Tensor, up: Tensor, scale: f64, dropout: f64) -> Result<Self> {
        Ok(Self { name, down: Var::from_tensor(&down)?, up: Var::from_tensor(&up)?, scale, dropout })
    }

    /// PEFT's names of the matrices, and the matrices.
    pub(crate) fn variables(&self) -> [(String, Var); 2] {
        let named = |part, var: &Var| (format!("{}.{part}.weight", self.name), var.clone());
        [named("lora_A", &self.down), named("lora_B", &self.up)]
    }

    /// The change of the layer's output for `x`, `(.., inputs)`, in the type of `x`.
    pub(crate) fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        let (inputs, outputs) = (self.down.dims2()?.1, self.up.dims2()?.0);
        let matrix = |var: &Var| -> candle_core::Result<Tensor> {
            let tensor = if pass.is_training() { var.as_tensor().clone() } else { var.as_detached_tensor() };
            tensor.to_dtype(x.dtype())?.t()
        };
        let mut shape = x.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        let mut rows = x.reshape(((), inputs))?;
        if let Some(seed) = pass.dropout().filter(|_| self.dropout > 0.0) {
            rows = (&rows * self.kept(seed, &rows)?)?;
        }
        let change = rows.matmul(&matrix(&self.down)?)?.matmul(&matrix(&self.up)?)?;
        Ok((change * self.scale)?.reshape(shape)?)
    }

    /// `up down`, scaled: what is added to the frozen weights, `(outputs, inputs)` in float32.
    pub(crate) fn product(&self) -> Result<Tensor> {
        Ok((self.up.as_detached_tensor().matmul(&self.down.as_detached_tensor())? * self.scale)?)
    }

    /// `1 / (1 - dropout)` where an input is kept and 0 where not: `torch.rand` of a generator that is seeded by the pass and
    /// the layer's name, so that a layer which is computed again leaves out the same.
    fn kept(&self, seed: u64, rows: &Tensor) -> Result<Tensor> {
        let keep = 1.0 - self.dropout;
        let drawn = Generator::cpu(mixed(seed, &self.name)).rand(rows.dims(), DType::F32)?;
        let kept = (drawn.lt(keep as f32)?.to_dtype(DType::F32)? * (1.0 / keep))?;
        Ok(kept.to_dtype(rows.dtype())?.to_device(rows.device())?)
    }
}

/// A seed for one name: FNV-1a of the name, begun at the seed, of which a generator sees the low 32 bits.
fn mixed(seed: u64, name: &str) -> u64 {
    let hash = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    let mixed = name.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, hash);
    mixed ^ (mixed >> 32)
}

/// A matrix of a file, checked: float32 on the device.
pub(super) fn matrix(tensor: &Tensor, device: &Device) -> Result<Tensor> {
    Ok(tensor.to_dtype(DType::F32)?.to_device(device)?.contiguous()?)
}
