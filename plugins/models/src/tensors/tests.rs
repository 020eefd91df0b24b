use candle_core::{DType, Device, Tensor};

use super::Source;
use crate::ModelError;

fn source(tensors: &[(&str, Tensor)]) -> Source {
    let tensors = tensors.iter().map(|(name, t)| ((*name).to_owned(), t.clone()));
    Source::from_tensors("toy.safetensors", tensors, &Device::Cpu, DType::F32)
}

fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(shape, DType::F32, &Device::Cpu).expect("a tensor")
}

#[test]
fn every_missing_and_unexpected_tensor_is_named_at_once() {
    let source = source(&[("a.weight", ones(&[2])), ("c.weight", ones(&[2]))]);
    let weights = source.weights();
    for part in ["a", "b", "d"] {
        weights.pp(part).get("weight", &[2]).expect("zeros stand in");
    }
    let error = source.finish("toy", |_| false).expect_err("two are missing");
    assert!(
        matches!(&error, ModelError::Keys { missing, unexpected, .. }
            if missing == &["b.weight", "d.weight"] && unexpected == &["c.weight"]),
        "{error}"
    );
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let source = source(&[("a.weight", ones(&[2, 3]))]);
    source.weights().pp("a").get("weight", &[3, 2]).expect("zeros stand in");
    let message = source.finish("toy", |_| false).expect_err("misshapen").to_string();
    assert!(message.contains("a.weight of toy.safetensors"), "{message}");
    assert!(message.contains("[2, 3], expected [3, 2]"), "{message}");
}

#[test]
fn nan_and_infinity_are_refused_by_name() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let tensor = Tensor::new(&[1.0, bad], &Device::Cpu).expect("a tensor");
        let source = source(&[("a.weight", tensor)]);
        let error = source.weights().get("a.weight", &[2]).expect_err("not finite");
        assert!(error.to_string().contains("a.weight of toy.safetensors"), "{error}");
    }
}

#[test]
fn patches_add_up() {
    let mut source = source(&[("a.weight", ones(&[2, 3]))]);
    source.patch_low_rank("a.weight", ones(&[2, 4]), ones(&[4, 3]));
    source.patch_low_rank("a.weight", ones(&[2, 1]), ones(&[1, 3]));
    let sum = source.weights().get("a.weight", &[2, 3]).expect("a tensor");
    assert_eq!(sum.to_vec2::<f32>().expect("values"), [[6.0; 3]; 2]);
    source.finish("toy", |_| false).expect("all used");
}
