//! The Inception-v3 of the Fréchet inception distance: the network that Google published on 5 December 2015, whose 2048 pooled
//! features FID, KID and precision and recall are computed on, and whose class scores make the inception score.
//!
//! Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (arXiv 1512.00567); Heusel et al., "GANs Trained by a
//! Two Time-Scale Update Rule Converge to a Local Nash Equilibrium" (arXiv 1706.08500). Tensor names and numbers are those of
//! torch-fidelity's `FeatureExtractorInceptionV3`, which are those of pytorch-fid. It differs from the Inception-v3 of torchvision in
//! its weights, its 1008 classes, its average pools, which do not count the zeros at the edge, and the last block, which has a max
//! pool in place of an average pool.

mod blocks;
mod layers;
mod preprocess;

use std::path::Path;

use adeval_checkpoints::TensorFile;
use adeval_checkpoints::verify::sha256;
use candle_core::{D, DType, Device, Tensor};
use candle_nn::{Linear, Module};

use crate::tensors::Source;
use crate::{ModelError, Result};
use blocks::Block;
use layers::{BasicConv, DOWN, ONE, THREE, VALID, max_pool};

pub use preprocess::{Resize, preprocess};

/// Side of the square input, in pixels.
pub const SIDE: usize = 299;
/// Length of the pooled feature vector.
pub const FEATURES: usize = 2048;
/// Class scores: the 1000 classes of ImageNet and eight that are never used.
pub const CLASSES: usize = 1008;
/// The sum of `pt_inception-2015-12-05-6726825d.pth`, the conversion of Google's weights that pytorch-fid and torch-fidelity load.
pub const SHA256_2015: &str = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";

const MODEL: &str = "the Inception-v3 of FID";

/// What the network makes of a batch, all float32.
pub struct InceptionOutput {
    /// Means over the picture behind the first and the second max pool and before the last reduction: (N, 64), (N, 192), (N, 768).
    pub shallow: [Tensor; 3],
    /// Pooled features, (N, 2048), each at least 0.
    pub features: Tensor,
    /// Class scores without their bias, (N, 1008): what torch-fidelity takes the inception score of.
    pub logits_unbiased: Tensor,
    /// Class scores, (N, 1008).
    pub logits: Tensor,
}

/// Inception-v3 with loaded weights.
pub struct InceptionV3 {
    stem: Stem,
    blocks: Vec<Block>,
    classes: Linear,
    device: Device,
}

struct Stem {
    first: [BasicConv; 3],
    second: [BasicConv; 2],
}

impl InceptionV3 {
    /// Builds it in float32. Batch norms are folded into the convolutions here.
    ///
    /// # Errors
    /// [`ModelError`] naming the tensors that are missing, unexpected, of the wrong shape or not finite.
    pub fn load(source: &Source) -> Result<Self> {
        let weights = source.weights();
        let conv = |name: &str, inputs, outputs, geometry| {
            BasicConv::load(&weights.pp(name), inputs, outputs, geometry)
        };
        let stem = Stem {
            first: [
                conv("Conv2d_1a_3x3", 3, 32, DOWN)?,
                conv("Conv2d_2a_3x3", 32, 32, VALID)?,
                conv("Conv2d_2b_3x3", 32, 64, THREE)?,
            ],
            second: [conv("Conv2d_3b_1x1", 64, 80, ONE)?, conv("Conv2d_4a_3x3", 80, 192, VALID)?],
        };
        let blocks = blocks::load(&weights)?;
        let classes = crate::layers::linear(FEATURES, CLASSES, &weights.pp("fc"))?;
        source.finish(MODEL, |name| name.ends_with("num_batches_tracked"))?;
        Ok(Self { stem, blocks, classes, device: weights.device().clone() })
    }

    /// Loads a file of its tensors, a `.pth` of any age or safetensors, and tells whether it is the published file of 2015.
    /// Only then may a distance of its features be called FID.
    ///
    /// # Errors
    /// As [`InceptionV3::load`], and for a file that cannot be read.
    pub fn load_file(path: &Path, device: &Device) -> Result<(Self, bool)> {
        let file = TensorFile::open(path)?;
        let published = sha256(path)? == SHA256_2015;
        Ok((Self::load(&Source::from_file(file, device, DType::F32))?, published))
    }

    /// Device that the weights are on; inputs must be on the same.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// `(N, 3, 299, 299)` float32, made by [`preprocess`].
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape or element type, and failures of the device.
    pub fn forward(&self, pictures: &Tensor) -> Result<InceptionOutput> {
        if !matches!(pictures.dims(), [_, 3, SIDE, SIDE]) || pictures.dtype() != DType::F32 {
            let found = format!("{:?} {:?}", pictures.dims(), pictures.dtype());
            return Err(ModelError::Input { found, expected: "(N, 3, 299, 299) F32" });
        }
        let run = |x: Tensor, convs: &[BasicConv]| convs.iter().try_fold(x, |x, conv| conv.forward(&x));
        let x = max_pool(&run(pictures.clone(), &self.stem.first)?)?;
        let first = mean(&x)?;
        let mut x = max_pool(&run(x, &self.stem.second)?)?;
        let second = mean(&x)?;
        let (before, last) = self.blocks.split_at(blocks::BEFORE_LAST_REDUCTION);
        for block in before {
            x = block.forward(&x)?;
        }
        let third = mean(&x)?;
        for block in last {
            x = block.forward(&x)?;
        }
        let features = mean(&x)?;
        let unbiased = Linear::new(self.classes.weight().clone(), None).forward(&features)?;
        let logits = self.classes.forward(&features)?;
        Ok(InceptionOutput { shallow: [first, second, third], features, logits_unbiased: unbiased, logits })
    }
}

/// (N, C, H, W) to (N, C).
fn mean(x: &Tensor) -> Result<Tensor> {
    Ok(x.flatten_from(2)?.mean(D::Minus1)?)
}
