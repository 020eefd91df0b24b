//! A decoder's adapter in PEFT's files: `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};

use super::adapter::{LoraAdapter, LoraConfig, LoraLayer, matrix};
use super::peft::PeftConfig;
use crate::decoder::Decoder;
use crate::tensors::{check_finite, read_config};
use crate::{ModelError, Result};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// What of `adapter_config.json` an adapter is made from; alpha by layer is [`PeftConfig`]'s.
#[derive(Deserialize)]
struct Facts {
    r: usize,
    #[serde(default = "eight")]
    lora_alpha: f64,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    use_rslora: bool,
    target_modules: Option<Value>,
    #[serde(default)]
    bias: Option<String>,
    modules_to_save: Option<Vec<String>>,
}

/// PEFT's own default.
fn eight() -> f64 {
    8.0
}

impl LoraAdapter {
    /// Reads a folder that PEFT or [`LoraAdapter::save`] wrote, for a decoder. `prefix` is what the names of the decoder's layers
    /// begin with in the file: `base_model.model.model.` for a language model of its own.
    ///
    /// # Errors
    /// [`ModelError::Read`], [`ModelError::Config`], [`ModelError::Weights`]; [`ModelError::Unfit`], naming file and key, for a
    /// key that is no matrix of this decoder's layers or has another shape, and for methods other than LoRA.
    pub fn read(folder: &Path, prefix: &str, decoder: &Decoder) -> Result<Self> {
        let (config_path, path) = (folder.join(CONFIG), folder.join(WEIGHTS));
        let facts: Facts = read_config(&config_path)?;
        let peft: PeftConfig = read_config(&config_path)?;
        let fault = |reason: String| ModelError::Config { path: config_path.clone(), reason };
        if let Some(part) = facts.modules_to_save.as_ref().and_then(|parts| parts.first()) {
            return Err(fault(format!(
                "modules_to_save has {part}; only adapters of linear layers can be read"
            )));
        }
        if let Some(bias) = facts.bias.as_deref().filter(|bias| *bias != "none") {
            return Err(fault(format!("bias is {bias}; adapters that train no biases can be read")));
        }
        peft.check().map_err(fault)?;
        let config = facts.config();
        config.check().map_err(fault)?;
        let label = path.display().to_string();
        let bytes = std::fs::read(&path).map_err(|source| ModelError::Read { path: path.clone(), source })?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|e| ModelError::Weights { label: label.clone(), reason: e.to_string() })?;
        let tensors = tensors.into_iter().map(|(key, tensor)| {
            check_finite(&label, &key, &tensor)?;
            Ok((key, tensor))
        });
        let tensors = tensors.collect::<Result<BTreeMap<_, _>>>()?;
        Self::from_tensors(config, &peft, &tensors, prefix, decoder).map_err(|e| e.into_error(label))
    }

    /// Writes the folder that [`LoraAdapter::read`] and PEFT read. `base` is what PEFT calls the model without the adapter.
    ///
    /// # Errors
    /// [`ModelError::Read`] for a folder that cannot be written, and failures of the device.
    pub fn save(&self, folder: &Path, prefix: &str, base: &str) -> Result<()> {
        let fault = |source| ModelError::Read { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(fault)?;
        let tensors = self
            .variables()
            .into_iter()
            .map(|(name, var)| (format!("{prefix}{name}"), var.as_detached_tensor()));
        let tensors: HashMap<String, Tensor> = tensors.collect();
        candle_core::safetensors::save(&tensors, folder.join(WEIGHTS))?;
        let config = serde_json::to_vec_pretty(&self.facts(prefix, base)).map_err(|e| fault(e.into()))?;
        std::fs::write(folder.join(CONFIG), config).map_err(fault)
    }

    fn facts(&self, prefix: &str, base: &str) -> Value {
        let LoraConfig { rank, alpha, dropout, rank_stabilized, ref targets } = self.config;
        let pattern = |of: fn(&LoraLayer) -> f64, usual: f64| -> BTreeMap<&str, f64> {
            let unusual = self.layers.values().filter(|layer| of(layer) != usual);
            unusual.map(|layer| (layer.name.as_str(), of(layer))).collect()
        };
        let ranks = pattern(|layer| layer.down.dims()[0] as f64, rank as f64);
        let ranks: BTreeMap<&str, usize> = ranks.into_iter().map(|(name, r)| (name, r as usize)).collect();
        let alphas = self.layers.values().map(|layer| {
            let rank = layer.down.dims()[0] as f64;
            (layer.name.as_str(), layer.scale * if rank_stabilized { rank.sqrt() } else { rank })
        });
        // A product of a quotient may be a rounding away from the number that it came from.
        let alphas: BTreeMap<&str, f64> =
            alphas.filter(|(_, a)| (a - alpha).abs() > 1e-9 * alpha.abs()).collect();
        let inner = prefix.strip_prefix("base_model.model.").unwrap_or(prefix);
        let whole: Vec<String> = self.layers.keys().map(|name| format!("{inner}{name}")).collect();
        // Within a larger model the ends of names would mean layers of its other parts, too: a vision tower has a q_proj.
        let targets = if inner.is_empty() || inner == "model." { targets } else { &whole };
        json!({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "inference_mode": true,
            "r": rank, "lora_alpha": alpha, "lora_dropout": dropout, "use_rslora": rank_stabilized, "use_dora": false,
            "target_modules": targets, "bias": "none", "fan_in_fan_out": false, "init_lora_weights": true,
            "modules_to_save": null, "rank_pattern": ranks, "alpha_pattern": alphas,
        })
    }

    fn from_tensors(
        config: LoraConfig,
        peft: &PeftConfig,
        tensors: &BTreeMap<String, Tensor>,
        prefix: &str,
        decoder: &Decoder,
    ) -> std::result::Result<Self, Fault> {
        let sizes: BTreeMap<String, (usize, usize)> = decoder.linear_layers().collect();
        let mut pairs: BTreeMap<&str, [Option<&Tensor>; 2]> = BTreeMap::new();
        for (key, tensor) in tensors {
            let (layer, part) = parse(key, prefix)?;
            pairs.entry(layer).or_default()[part] = Some(tensor);
        }
        let mut layers = BTreeMap::new();
        for (name, pair) in pairs {
            let [Some(down), Some(up)] = pair else {
                return Err(Fault::Reason(format!(
                    "{prefix}{name} has one of lora_A and lora_B; the file is incomplete"
                )));
            };
            let Some((inputs, outputs)) = sizes.get(name) else {
                return Err(Fault::Reason(format!("{prefix}{name}: the decoder has no such layer")));
            };
            let rank = down.dims().first().copied().unwrap_or_default();
            if down.dims() != [rank, *inputs] || up.dims() != [*outputs, rank] || rank == 0 {
                let (d, u) = (down.dims(), up.dims());
                return Err(Fault::Reason(format!(
                    "{prefix}{name}: matrices of shapes {d:?} and {u:?} for a layer of {inputs} inputs and {outputs} outputs"
                )));
            }
            let (down, up) = (matrix(down, decoder.device())?, matrix(up, decoder.device())?);
            let layer = LoraLayer::new(name.to_owned(), down, up, peft.scale(name, rank), config.dropout)?;
            layers.insert(name.to_owned(), layer);
        }
        if layers.is_empty() {
            return Err(Fault::Reason("it holds no LoRA layers".to_owned()));
        }
        Ok(Self { config, layers })
    }
}

impl Facts {
    fn config(&self) -> LoraConfig {
        let list = |v: &Value| match v {
            Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::String(name) => vec![name.clone()],
            _ => Vec::new(),
        };
        LoraConfig {
            rank: self.r,
            alpha: self.lora_alpha,
            dropout: self.lora_dropout,
            rank_stabilized: self.use_rslora,
            targets: self.target_modules.as_ref().map(list).unwrap_or_default(),
        }
    }
}

/// Why tensors make no adapter.
enum Fault {
    Reason(String),
    Other(ModelError),
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Self {
        Self::Other(error)
    }
}

impl Fault {
    fn into_error(self, label: String) -> ModelError {
        match self {
            Self::Reason(reason) => ModelError::Unfit { label, reason },
            Self::Other(error) => error,
        }
    }
}

/// The layer's name and which of its matrices.
fn parse<'a>(key: &'a str, prefix: &str) -> std::result::Result<(&'a str, usize), Fault> {
    let Some(rest) = key.strip_prefix(prefix) else {
        let hint = if prefix.is_empty() { "" } else { "; is it of another model, or under other names?" };
        return Err(Fault::Reason(format!("{key} does not begin with {prefix}{hint}")));
    };
    let parts = [
        (".lora_A.weight", 0),
        (".lora_B.weight", 1),
        (".lora_A.default.weight", 0),
        (".lora_B.default.weight", 1),
    ];
    let found = parts.iter().find_map(|(end, part)| rest.strip_suffix(end).map(|layer| (layer, *part)));
    found.ok_or_else(|| {
        Fault::Reason(format!("{key} is no matrix of a LoRA of linear layers in PEFT's layout"))
    })
}
