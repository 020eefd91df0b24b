//! The forward pass on the own kernels: one image per thread, buffers reused from layer to layer.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{
    CLASSES, FEATURES, SIDE,
    kernels::{Depthwise, Finish, Pointwise},
    plan::{Folded, FoldedNetwork, Kind, Then, same_padding},
};
use crate::Result;

/// EfficientNet-Lite0 with packed weights.
pub struct Network {
    stem: Stem,
    layers: Vec<Layer>,
    classifier: Pointwise,
}

/// The first convolution, 3x3 with stride 2 on three channels, as a pointwise one on patches.
struct Stem {
    patches: Pointwise,
}

enum Layer {
    Pointwise { conv: Pointwise, then: Then, begins_block: bool },
    Depthwise { conv: Depthwise, begins_block: bool, kernel: usize, stride: usize },
}

/// Side and stride of the stem's kernel.
const STEM_KERNEL: usize = 3;
const STEM_STRIDE: usize = 2;
/// Values in a patch of the stem.
const PATCH: usize = 3 * STEM_KERNEL * STEM_KERNEL;

/// Activations of one image.
#[derive(Default)]
struct Buffers {
    current: Vec<f32>,
    next: Vec<f32>,
    block_input: Vec<f32>,
}

impl Network {
    /// Packs folded weights.
    pub fn new(network: FoldedNetwork) -> Self {
        let FoldedNetwork { layers, fc_weight, fc_bias } = network;
        let mut layers = layers.into_iter();
        let stem = layers.next().map(|folded| Stem {
            patches: Pointwise::new(&folded.weight, &folded.bias, PATCH, folded.layer.output),
        });
        let Some(stem) = stem else { unreachable!("the plan begins with the stem") };
        let classifier = Pointwise::new(&fc_weight, &fc_bias, FEATURES, CLASSES);
        Self { stem, layers: layers.map(packed).collect(), classifier }
    }

    /// `(N, 3, 224, 224)` to `(N, 1280)`, both float32 on the CPU.
    pub fn features(&self, images: &Tensor) -> Result<Tensor> {
        let count = images.dim(0)?;
        let values = images.flatten_all()?.to_vec1::<f32>()?;
        let mut features = vec![0f32; count * FEATURES];
        features
            .par_chunks_mut(FEATURES)
            .zip(values.par_chunks(3 * SIDE * SIDE))
            .for_each_init(Buffers::default, |buffers, (out, image)| self.image(image, buffers, out));
        Ok(Tensor::from_vec(features, (count, FEATURES), &Device::Cpu)?)
    }

    /// `(N, 1280)` to `(N, 1000)`.
    pub fn classify(&self, features: &Tensor) -> Result<Tensor> {
        let count = features.dim(0)?;
        let values = features.flatten_all()?.to_vec1::<f32>()?;
        let mut logits = vec![0f32; count * CLASSES];
        self.classifier.run(&values, &mut logits, Finish::Linear);
        Ok(Tensor::from_vec(logits, (count, CLASSES), &Device::Cpu)?)
    }

    /// One image, planes of 224x224, to `FEATURES` values.
    fn image(&self, image: &[f32], buffers: &mut Buffers, out: &mut [f32]) {
        let mut side = self.stem.run(image, buffers);
        for layer in &self.layers {
            side = layer.run(side, buffers);
        }
        let area = (side * side) as f32;
        out.fill(0.0);
        for pixel in buffers.current.chunks_exact(FEATURES) {
            out.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
        }
        out.iter_mut().for_each(|sum| *sum /= area);
    }
}

fn packed(folded: Folded) -> Layer {
    let Folded { layer, weight, bias } = folded;
    match layer.kind {
        Kind::Dense => Layer::Pointwise {
            conv: Pointwise::new(&weight, &bias, layer.input, layer.output),
            then: layer.then,
            begins_block: layer.begins_block,
        },
        Kind::Depthwise => Layer::Depthwise {
            conv: Depthwise::new(&weight, &bias, layer.kernel, layer.stride, layer.output),
            begins_block: layer.begins_block,
            kernel: layer.kernel,
            stride: layer.stride,
        },
    }
}

impl Stem {
    /// Planes of 224x224 to 112x112 pixels of 32 channels in `buffers.current`; returns the side.
    fn run(&self, image: &[f32], buffers: &mut Buffers) -> usize {
        let (side, before, _) = same_padding(SIDE, STEM_KERNEL, STEM_STRIDE);
        let width = self.patches.output();
        buffers.current.resize(side * side * width, 0.0);
        buffers.next.resize(side * PATCH, 0.0);
        for (oy, out) in buffers.current.chunks_exact_mut(side * width).enumerate() {
            for (ox, patch) in buffers.next.chunks_exact_mut(PATCH).enumerate() {
                fill_patch(image, oy * STEM_STRIDE, ox * STEM_STRIDE, before, patch);
            }
            self.patches.run(&buffers.next, out, Finish::Relu6);
        }
        side
    }
}

/// Copies a 3x3 patch of each plane, in PyTorch's order of weights; zeros outside the picture.
fn fill_patch(image: &[f32], top: usize, left: usize, before: usize, patch: &mut [f32]) {
    let mut at = 0;
    for plane in image.chunks_exact(SIDE * SIDE) {
        for ky in 0..STEM_KERNEL {
            for kx in 0..STEM_KERNEL {
                let (y, x) = ((top + ky).wrapping_sub(before), (left + kx).wrapping_sub(before));
                patch[at] = if y < SIDE && x < SIDE { plane[y * SIDE + x] } else { 0.0 };
                at += 1;
            }
        }
    }
}

impl Layer {
    /// From `buffers.current`, `side` x `side` pixels, back into it; returns the new side.
    fn run(&self, side: usize, buffers: &mut Buffers) -> usize {
        let Buffers { current, next, block_input } = buffers;
        let (Self::Pointwise { begins_block, .. } | Self::Depthwise { begins_block, .. }) = self;
        if *begins_block {
            block_input.clone_from(current);
        }
        let side = match self {
            Self::Pointwise { conv, then, .. } => {
                next.resize(side * side * conv.output(), 0.0);
                let finish = match then {
                    Then::Relu6 => Finish::Relu6,
                    Then::Linear => Finish::Linear,
                    Then::AddBlockInput => Finish::Add(block_input),
                };
                conv.run(current, next, finish);
                side
            }
            Self::Depthwise { conv, kernel, stride, .. } => {
                let (out_side, _, _) = same_padding(side, *kernel, *stride);
                next.resize(out_side * out_side * conv.channels(), 0.0);
                conv.run(current, side, next);
                out_side
            }
        };
        std::mem::swap(current, next);
        side
    }
}
