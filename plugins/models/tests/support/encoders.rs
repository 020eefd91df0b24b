//! The tiny encoders of the goldens as folders, as transformers publishes them.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use adeval_models::encoders::Kind;
use candle_core::Tensor;
use serde::Deserialize;
use serde_json::Value;

use crate::support::{goldens, recipe};

/// What the golden script wrote down.
#[derive(Deserialize)]
pub struct Facts {
    pub pictures: Vec<(u32, u32)>,
    pub cases: BTreeMap<String, Case>,
}

/// One model.
#[derive(Deserialize)]
pub struct Case {
    kind: String,
    pub config: Value,
    pub processor: Value,
    pub shapes: BTreeMap<String, Vec<usize>>,
}

impl Facts {
    pub fn read() -> Self {
        let text = std::fs::read(goldens().join("vision/transformers.json")).expect("the golden's facts");
        serde_json::from_slice(&text).expect("facts of the known form")
    }
}

impl Case {
    pub fn kind(&self) -> Kind {
        match self.kind.as_str() {
            "dinov2" => Kind::Dinov2,
            "siglip" => Kind::Siglip,
            "clip" => Kind::Clip,
            other => panic!("{other} is no kind of encoder"),
        }
    }

    /// Configuration, processor and weights below `folder`, the weights' names changed by `rename`.
    pub fn write(&self, folder: &Path, rename: impl Fn(&str) -> String) {
        std::fs::write(folder.join("config.json"), self.config.to_string()).expect("a file");
        std::fs::write(folder.join("preprocessor_config.json"), self.processor.to_string()).expect("a file");
        let tensors: HashMap<String, Tensor> =
            recipe::weights(&self.shapes).into_iter().map(|(name, tensor)| (rename(&name), tensor)).collect();
        candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).expect("a file");
    }
}
