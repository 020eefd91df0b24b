//! The layers of EfficientNet-Lite0 in order, the tensors that they need, and the folding of batch norms.

use super::{CLASSES, FEATURES};
use crate::{ModelError, Result, weights::Checkpoint};

/// Name used in error messages.
pub const MODEL: &str = "EfficientNet-Lite0";

/// Epsilon of every batch norm (`batch_norm_epsilon` of the original).
const EPSILON: f64 = 1e-3;

/// (repeats, kernel, stride of the first, expansion, input channels, output channels) of each stage.
const STAGES: [(usize, usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
];

/// What a convolution does to its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every output channel sees every input channel.
    Dense,
    /// Every channel is filtered on its own.
    Depthwise,
}

/// What follows a convolution and its batch norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Clamp to 0..6.
    Relu6,
    /// Nothing: the end of a block that changes its shape.
    Linear,
    /// Add what entered the block.
    AddBlockInput,
}

/// One convolution with its batch norm and what follows.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Name of the convolution in the checkpoint, without `.weight`.
    pub conv: String,
    /// Name of the batch norm in the checkpoint.
    pub norm: String,
    /// Dense or depthwise.
    pub kind: Kind,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Step in both directions.
    pub stride: usize,
    /// Channels that enter.
    pub input: usize,
    /// Channels that leave.
    pub output: usize,
    /// Activation or shortcut.
    pub then: Then,
    /// Whether a block begins here, so that its input must be kept for the shortcut.
    pub begins_block: bool,
}

/// A layer with its batch norm folded in.
pub struct Folded {
    /// The layer.
    pub layer: Layer,
    /// Kernel in PyTorch's order: output, input (1 if depthwise), row, column.
    pub weight: Vec<f32>,
    /// One per output channel.
    pub bias: Vec<f32>,
}

/// All convolutions, folded, and the classifier.
pub struct FoldedNetwork {
    /// Stem, blocks and head in order.
    pub layers: Vec<Folded>,
    /// Classifier, `CLASSES` rows of `FEATURES`.
    pub fc_weight: Vec<f32>,
    /// Classifier, `CLASSES` values.
    pub fc_bias: Vec<f32>,
}

/// The layers in the order in which they run.
pub fn layers() -> Vec<Layer> {
    let mut layers = vec![dense("_conv_stem", "_bn0", 3, 2, (3, 32), Then::Relu6)];
    let mut index = 0;
    for (repeats, kernel, first_stride, expansion, input, output) in STAGES {
        for repeat in 0..repeats {
            let (input, stride) = if repeat == 0 { (input, first_stride) } else { (output, 1) };
            block(&mut layers, index, kernel, stride, expansion, (input, output));
            index += 1;
        }
    }
    layers.push(dense("_conv_head", "_bn1", 1, 1, (320, FEATURES), Then::Relu6));
    layers
}

fn dense(
    conv: &str,
    norm: &str,
    kernel: usize,
    stride: usize,
    (input, output): (usize, usize),
    then: Then,
) -> Layer {
    let (conv, norm) = (conv.to_owned(), norm.to_owned());
    Layer { conv, norm, kind: Kind::Dense, kernel, stride, input, output, then, begins_block: false }
}

/// Inverted residual block: widen, filter each channel, narrow; with a shortcut where the shape stays.
fn block(
    layers: &mut Vec<Layer>,
    index: usize,
    kernel: usize,
    stride: usize,
    expansion: usize,
    (input, output): (usize, usize),
) {
    let name = |part: &str| format!("_blocks.{index}.{part}");
    let wide = input * expansion;
    let first = layers.len();
    if expansion != 1 {
        layers.push(dense(&name("_expand_conv"), &name("_bn0"), 1, 1, (input, wide), Then::Relu6));
    }
    let filter = dense(&name("_depthwise_conv"), &name("_bn1"), kernel, stride, (wide, wide), Then::Relu6);
    layers.push(Layer { kind: Kind::Depthwise, ..filter });
    let then = if stride == 1 && input == output { Then::AddBlockInput } else { Then::Linear };
    layers.push(dense(&name("_project_conv"), &name("_bn2"), 1, 1, (wide, output), then));
    layers[first].begins_block = true;
}

/// (name, shape) of every tensor in the checkpoint.
pub fn tensors(layers: &[Layer]) -> Vec<(String, Vec<usize>)> {
    let mut tensors = Vec::new();
    for layer in layers {
        let inner = if layer.kind == Kind::Depthwise { 1 } else { layer.input };
        let shape = vec![layer.output, inner, layer.kernel, layer.kernel];
        tensors.push((format!("{}.weight", layer.conv), shape));
        for part in ["weight", "bias", "running_mean", "running_var"] {
            tensors.push((format!("{}.{part}", layer.norm), vec![layer.output]));
        }
    }
    tensors.push(("_fc.weight".to_owned(), vec![CLASSES, FEATURES]));
    tensors.push(("_fc.bias".to_owned(), vec![CLASSES]));
    tensors
}

/// Folds each batch norm into its convolution, in double precision.
///
/// # Errors
/// [`ModelError::Value`] for a negative variance.
pub fn fold(layers: Vec<Layer>, checkpoint: &mut Checkpoint) -> Result<FoldedNetwork> {
    let layers = layers.into_iter().map(|layer| fold_layer(layer, checkpoint)).collect::<Result<_>>()?;
    let fc_weight = checkpoint.take(MODEL, "_fc.weight")?;
    Ok(FoldedNetwork { layers, fc_weight, fc_bias: checkpoint.take(MODEL, "_fc.bias")? })
}

fn fold_layer(layer: Layer, checkpoint: &mut Checkpoint) -> Result<Folded> {
    let mut weight = checkpoint.take(MODEL, &format!("{}.weight", layer.conv))?;
    let mut part = |part: &str| checkpoint.take(MODEL, &format!("{}.{part}", layer.norm));
    let (gamma, beta) = (part("weight")?, part("bias")?);
    let (mean, variance) = (part("running_mean")?, part("running_var")?);
    if let Some(&value) = variance.iter().find(|v| **v < 0.0) {
        return Err(ModelError::Value { name: format!("{}.running_var", layer.norm), value });
    }
    let per_channel = weight.len() / layer.output;
    let mut bias = Vec::with_capacity(layer.output);
    for (channel, filter) in weight.chunks_exact_mut(per_channel).enumerate() {
        let scale = f64::from(gamma[channel]) / (f64::from(variance[channel]) + EPSILON).sqrt();
        filter.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
        bias.push((f64::from(beta[channel]) - f64::from(mean[channel]) * scale) as f32);
    }
    Ok(Folded { layer, weight, bias })
}

/// TensorFlow's "same" padding along one axis: (output length, zeros before, zeros after).
pub fn same_padding(length: usize, kernel: usize, stride: usize) -> (usize, usize, usize) {
    let out = length.div_ceil(stride);
    let total = ((out - 1) * stride + kernel).saturating_sub(length);
    (out, total / 2, total - total / 2)
}
