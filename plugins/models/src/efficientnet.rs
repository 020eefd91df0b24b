//! EfficientNet-Lite0: an image encoder with 1280 pooled features and 1000 ImageNet-1k classes.
//!
//! Architecture: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"
//! (arXiv 1905.11946), in the Lite variant that Google released in 2020 for mobile accelerators: no squeeze-and-excite,
//! ReLU6 for swish, stem and head of fixed width, TensorFlow's "same" padding. Tensor names follow the PyTorch
//! conversion, PyPI `efficientnet-lite-pytorch` 0.1.0.
//!
//! On the CPU the network runs on own kernels (`kernels`), one image per thread; on other devices it runs on
//! candle's operators. The result for one image depends neither on the batch that it is in nor on the number of
//! threads.

mod cpu;
mod generic;
mod kernels;
mod plan;
mod preprocess;

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::{ModelError, Result, weights::Checkpoint};
pub use preprocess::preprocess;

/// Side of the square input, in pixels.
pub const SIDE: usize = 224;
/// Length of the pooled feature vector.
pub const FEATURES: usize = 1280;
/// Number of ImageNet-1k classes, in the usual order of synsets.
pub const CLASSES: usize = 1000;

/// EfficientNet-Lite0 with loaded weights; cheap to share by reference between threads.
pub struct EfficientNetLite0 {
    backend: Backend,
    device: Device,
}

enum Backend {
    Cpu(cpu::Network),
    Generic(generic::Network),
}

impl EfficientNetLite0 {
    /// Loads a safetensors checkpoint held in memory. Batch norms are folded into the convolutions here.
    ///
    /// # Errors
    /// [`ModelError`] naming the tensors that are missing, unexpected, of the wrong shape or not float32.
    pub fn load(safetensors: &[u8], device: &Device) -> Result<Self> {
        let layers = plan::layers();
        let mut checkpoint = Checkpoint::read(plan::MODEL, safetensors, &plan::tensors(&layers))?;
        let folded = plan::fold(layers, &mut checkpoint)?;
        let backend = match device {
            Device::Cpu => Backend::Cpu(cpu::Network::new(folded)),
            _ => Backend::Generic(generic::Network::new(&folded, device)?),
        };
        Ok(Self { backend, device: device.clone() })
    }

    /// Loads a safetensors checkpoint from a file.
    ///
    /// # Errors
    /// [`ModelError::Read`], or as [`EfficientNetLite0::load`].
    pub fn load_file(path: &Path, device: &Device) -> Result<Self> {
        let bytes =
            std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        Self::load(&bytes, device)
    }

    /// Device that the weights are on; inputs must be on the same.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Pooled features: `(N, 3, 224, 224)` float32, made by [`preprocess`], to `(N, 1280)` float32, each in 0 to 6.
    ///
    /// No gradient flows through the CPU kernels.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape or element type.
    pub fn features(&self, images: &Tensor) -> Result<Tensor> {
        check_input(images)?;
        match &self.backend {
            Backend::Cpu(network) => network.features(images),
            Backend::Generic(network) => network.features(images),
        }
    }

    /// Class scores before the softmax: `(N, 3, 224, 224)` float32 to `(N, 1000)` float32.
    ///
    /// # Errors
    /// As [`EfficientNetLite0::features`].
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        self.classify(&self.features(images)?)
    }

    /// Class scores of pooled features: `(N, 1280)` float32 to `(N, 1000)` float32.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape.
    pub fn classify(&self, features: &Tensor) -> Result<Tensor> {
        if features.dims().len() != 2 || features.dims()[1] != FEATURES || features.dtype() != DType::F32 {
            return Err(wrong_input(features, "(N, 1280) F32"));
        }
        match &self.backend {
            Backend::Cpu(network) => network.classify(features),
            Backend::Generic(network) => network.classify(features),
        }
    }
}

fn check_input(images: &Tensor) -> Result<()> {
    let fits = matches!(images.dims(), [_, 3, SIDE, SIDE]) && images.dtype() == DType::F32;
    if fits { Ok(()) } else { Err(wrong_input(images, "(N, 3, 224, 224) F32")) }
}

fn wrong_input(found: &Tensor, expected: &'static str) -> ModelError {
    ModelError::Input { found: format!("{:?} {:?}", found.dims(), found.dtype()), expected }
}

#[cfg(test)]
mod tests;
