//! Weights and inputs by formula, so that goldens need not store them: the numbers of `fixtures/scripts/recipe.py`,
//! bit for bit. Every value is a hash of the tensor's name and the value's index, turned into a float32 in [-1, 1)
//! without rounding.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage};

/// float32 in [-1, 1) with 2^24 levels: SplitMix64 at the FNV-1a hash of the name, plus the index.
pub fn uniform(name: &str, count: usize) -> Vec<f32> {
    let hash = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    (1..=count as u64).map(|i| unit(seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15)))).collect()
}

fn unit(state: u64) -> f32 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let bits = (z ^ (z >> 31)) >> 40;
    bits as f32 * (1.0 / 8_388_608.0) - 1.0
}

/// An input of about unit variance: uniform times 1.75.
pub fn noise(name: &str, shape: &[usize]) -> Tensor {
    let values = uniform(name, shape.iter().product()).into_iter().map(|u| u * 1.75).collect();
    tensor(values, shape)
}

/// A picture: noise over a coarse pattern of full contrast, so that a filter over- and undershoots.
pub fn picture(name: &str, height: u32, width: u32) -> RgbImage {
    let levels = uniform(name, (height * width * 3) as usize);
    RgbImage::from_fn(width, height, |x, y| {
        let pattern = if (y / 5 + x / 7) % 2 == 0 { 0 } else { 195 };
        let at = ((y * width + x) * 3) as usize;
        Rgb([0, 1, 2].map(|c| (levels[at + c] * 30.0 + 30.0) as u8 + pattern))
    })
}

/// A parameter: matrices and kernels u / sqrt(fan in); vectors called weight or lambda1 1 + u / 8; other vectors u / 8. Variances of batch norms
/// are (1 + u / 4) / 6: what such kernels make of what a batch norm and a ReLU left.
pub fn weight(name: &str, shape: &[usize]) -> Tensor {
    let u = uniform(name, shape.iter().product());
    let last = name.rsplit('.').next();
    let is_scale = matches!(last, Some("weight" | "lambda1"));
    let values = match shape {
        _ if last == Some("running_var") => {
            u.into_iter().map(|u| (u * 0.25 + 1.0) * (1.0 / 6.0) as f32).collect()
        }
        [_, inner @ ..] if !inner.is_empty() => {
            let scale = 1.0 / (inner.iter().product::<usize>() as f32).sqrt();
            u.into_iter().map(|u| u * scale).collect()
        }
        _ if is_scale => u.into_iter().map(|u| u * 0.125 + 1.0).collect(),
        _ => u.into_iter().map(|u| u * 0.125).collect(),
    };
    tensor(values, shape)
}

/// All parameters of a model whose names and shapes the golden script wrote down.
pub fn weights(shapes: &BTreeMap<String, Vec<usize>>) -> Vec<(String, Tensor)> {
    shapes.iter().map(|(name, shape)| (name.clone(), weight(name, shape))).collect()
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> Tensor {
    Tensor::from_vec(values, shape, &Device::Cpu).expect("as many values as the shape says")
}

/// The bits that `python recipe.py` prints.
#[test]
fn the_recipe_is_that_of_the_script() {
    let bits = |t: Tensor| -> Vec<u32> {
        assert_eq!(t.dtype(), candle_core::DType::F32);
        let values = t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("float32");
        values.into_iter().map(f32::to_bits).collect()
    };
    let conv = [0xbeb7_f169, 0x3e3d_47d6, 0x3ed7_4511, 0x3df9_8c50, 0x3ea7_89cf, 0x3ef3_6ca5];
    assert_eq!(bits(weight("conv.weight", &[2, 3])), conv);
    assert_eq!(bits(weight("norm.weight", &[2])), [0x3f70_d422, 0x3f61_b8f9]);
    assert_eq!(bits(weight("norm.bias", &[2])), [0x3db1_b67a, 0x3d28_489c]);
    assert_eq!(bits(weight("bn.running_var", &[2])), [0x3e49_873b, 0x3e1f_0fbc]);
    assert_eq!(bits(noise("sample", &[2])), [0x3f57_aafc, 0x3eba_9cd7]);
}
