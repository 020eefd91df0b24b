//! Cases of the decoders: configurations, names and inputs of `fixtures/scripts/llm_cases.py`.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::path::Path;

use adeval_models::decoder::{Decoder, DecoderConfig};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::support::{goldens, recipe};

/// One small model: its configuration, the names and shapes of its tensors.
#[derive(Deserialize)]
pub struct Model {
    pub config: Value,
    pub tensors: BTreeMap<String, Vec<usize>>,
}

/// What a script wrote beside its goldens.
pub fn facts<T: DeserializeOwned>(name: &str) -> T {
    let path = goldens().join(format!("llm/{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

impl Model {
    pub fn config(&self) -> DecoderConfig {
        DecoderConfig::from_json(&self.config, Path::new("config.json")).expect("a decoder")
    }

    pub fn source(&self, dtype: DType) -> Source {
        Source::from_tensors("the recipe", recipe::weights(&self.tensors), &Device::Cpu, dtype)
    }

    pub fn decoder(&self, dtype: DType) -> Decoder {
        load(&self.source(dtype), self.config())
    }
}

/// A decoder with transformers' names, and nothing left over.
pub fn load(source: &Source, config: DecoderConfig) -> Decoder {
    let root = source.weights();
    let decoder = Decoder::load(config, &root.pp("model"), &root).expect("a decoder");
    source.finish("the decoder", |_| false).expect("the tensors of transformers");
    decoder
}

/// Embeddings of rows of different lengths, padding on the left, and the padding of each.
pub fn padded(decoder: &Decoder, rows: &[Vec<u32>]) -> (Tensor, Vec<usize>) {
    let length = rows.iter().map(Vec::len).max().expect("rows");
    let starts: Vec<usize> = rows.iter().map(|row| length - row.len()).collect();
    let embeds = rows.iter().zip(&starts).map(|(row, start)| {
        let ids = [&vec![0; *start][..], &row[..]].concat();
        decoder.embed(&ids).expect("embeddings")
    });
    (Tensor::stack(&embeds.collect::<Vec<_>>(), 0).expect("one length"), starts)
}

/// The last `length` tokens of one row of a batch.
pub fn unpadded(batch: &Tensor, row: usize, length: usize) -> Tensor {
    let tokens = batch.dims()[1];
    batch.get(row).and_then(|t| t.narrow(0, tokens - length, length)).expect("a row")
}

/// The tokens of all rows of a batch, one row after the other.
pub fn joined(batch: &Tensor, rows: &[Vec<u32>]) -> Tensor {
    let parts: Vec<Tensor> =
        rows.iter().enumerate().map(|(row, ids)| unpadded(batch, row, ids.len())).collect();
    Tensor::cat(&parts, 0).expect("rows of one width")
}

/// All values, to compare bits.
pub fn bits(tensor: &Tensor) -> Vec<u32> {
    let values = tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("float32");
    values.into_iter().map(f32::to_bits).collect()
}
