//! Cases of the denoising networks: configurations, names and inputs of `fixtures/scripts/goldens_sd_unet.py`.

use std::collections::BTreeMap;
use std::path::Path;

use adeval_models::stable_diffusion::config::UNetConfig;
use adeval_models::stable_diffusion::unet::UNet2DConditionModel;
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use crate::support::{goldens, recipe};

/// Text tokens in every case.
pub const TOKENS: usize = 7;

/// The cases of one area, by name.
pub fn cases(area: &str) -> BTreeMap<String, Value> {
    let path = goldens().join(format!("sd/{area}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("an object of cases")
}

/// Names and shapes of a model's tensors.
pub fn shapes(tensors: &Value) -> BTreeMap<String, Vec<usize>> {
    serde_json::from_value(tensors.clone()).expect("names and shapes")
}

/// A source with the weights of the recipe.
pub fn source(case: &Value, dtype: DType) -> Source {
    Source::from_tensors("the recipe", recipe::weights(&shapes(&case["tensors"])), &Device::Cpu, dtype)
}

/// The UNet of a case.
pub fn unet(case: &Value, dtype: DType) -> UNet2DConditionModel {
    let config = UNetConfig::parse(&case["config"].to_string(), Path::new("config.json")).expect("a UNet");
    UNet2DConditionModel::load(config, &source(case, dtype)).expect("the tensors of diffusers")
}

/// The sample and the text states of a case.
pub fn inputs(config: &Value, batch: usize, height: usize, width: usize) -> (Tensor, Tensor) {
    let size = |key: &str| number(&config[key]);
    let sample = recipe::noise("sample", &[batch, size("in_channels"), height, width]);
    (sample, recipe::noise("text", &[batch, TOKENS, size("cross_attention_dim")]))
}

/// A whole number of a case.
pub fn number(value: &Value) -> usize {
    value.as_u64().expect("a whole number") as usize
}
