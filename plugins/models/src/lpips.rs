//! LPIPS and ST-LPIPS: how different two pictures look, as the weighted distance of a classifier's features.
//!
//! Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (arXiv 1801.03924), version 0.1 of PyPI
//! `lpips`: its heads with a backbone of torchvision. Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric"
//! (arXiv 2207.13686), PyPI `stlpips-pytorch`: a backbone that blurs before it leaves pixels out, so that a shift of a pixel or
//! two costs little; backbone and heads are one file.
//!
//! Per layer l with features f of height H and width W, divided by their length over the channels at each pixel:
//! sum over l of 1 / (H W) * sum over pixels and channels of w_c (f_c(a) - f_c(b))^2, at least 0 with trained weights, 0 for one and
//! the same picture.

mod layers;
mod networks;

use candle_core::{D, DType, Device, Tensor};
use image::RgbImage;

use crate::tensors::Source;
use crate::{ModelError, Result};
use layers::Layer;

/// Added to the length of a pixel's features, so that a pixel without any gives zeros.
const EPS: f64 = 1e-10;
/// Taken from pictures in -1 to 1, and what divides them then.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

/// The classifier whose features are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backbone {
    /// AlexNet, the fastest and the default of the authors.
    Alex,
    /// VGG-16.
    Vgg,
    /// SqueezeNet 1.1.
    Squeeze,
}

/// A perceptual distance with loaded weights.
pub struct Lpips {
    /// Layers up to each of the features that are compared.
    slices: Vec<Vec<Layer>>,
    /// Weights of channels, (1, channels, 1, 1), one for each slice.
    heads: Vec<Tensor>,
    device: Device,
    smallest: u32,
}

impl Lpips {
    /// LPIPS of a torchvision classifier (`features.0.weight`; its `classifier.` is left alone) and the heads of PyPI `lpips`
    /// (`lin0.model.1.weight`).
    ///
    /// # Errors
    /// [`ModelError`] naming the tensors that are missing, unexpected, of the wrong shape or not finite.
    pub fn load(backbone: Backbone, classifier: &Source, heads: &Source) -> Result<Self> {
        let weights = classifier.weights().pp("features");
        let slices = networks::published(backbone);
        let layers = networks::load(&slices, |_, number| weights.pp(number))?;
        classifier.finish("a torchvision classifier of LPIPS", |name| name.starts_with("classifier."))?;
        let loaded = Self::with_heads(layers, &networks::widths(&slices), heads, networks::SMALLEST)?;
        // PyPI's trainer saves every head twice.
        heads.finish("heads of LPIPS", |name| name.starts_with("lins."))?;
        Ok(loaded)
    }

    /// ST-LPIPS of the one file that PyPI `stlpips-pytorch` has for a backbone (`alex_shift_tolerant.pth`,
    /// `vgg_shift_tolerant.pth`).
    ///
    /// # Errors
    /// As [`Lpips::load`], and [`ModelError::Unfit`] for SqueezeNet, of which none is published.
    pub fn load_shift_tolerant(backbone: Backbone, source: &Source) -> Result<Self> {
        let Some(slices) = networks::shift_tolerant(backbone) else {
            let reason = "there is no ST-LPIPS of SqueezeNet: take alex or vgg".to_owned();
            return Err(ModelError::Unfit { label: source.label().to_owned(), reason });
        };
        let net = source.weights().pp("net");
        let layers =
            networks::load(&slices, |slice, number| net.pp(format!("slice{}", slice + 1)).pp(number))?;
        let loaded = Self::with_heads(layers, &networks::widths(&slices), source, networks::SMALLEST)?;
        // The blur and the scaling are the same in every file, and known here.
        source.finish("an ST-LPIPS", |name| {
            name.ends_with(".filt") || name.starts_with("scaling_layer.") || name.starts_with("lins.")
        })?;
        Ok(loaded)
    }

    fn with_heads(slices: Vec<Vec<Layer>>, widths: &[usize], heads: &Source, smallest: u32) -> Result<Self> {
        let weights = heads.weights();
        let head = |(number, width): (usize, &usize)| {
            weights.pp(format!("lin{number}.model.1")).get("weight", &[1, *width, 1, 1])
        };
        let device = weights.device().clone();
        Ok(Self {
            slices,
            heads: widths.iter().enumerate().map(head).collect::<Result<_>>()?,
            device,
            smallest,
        })
    }

    /// Device that the weights are on; inputs must be on the same.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Channels of all compared features together.
    pub fn channels(&self) -> usize {
        self.heads.iter().map(Tensor::elem_count).sum()
    }

    /// A picture as the distance takes it: (1, 3, height, width) float32 in -1 to 1.
    ///
    /// # Errors
    /// [`ModelError::Image`] for one that is too small for the network.
    pub fn prepared(&self, picture: &RgbImage) -> Result<Tensor> {
        let (width, height) = picture.dimensions();
        if width.min(height) < self.smallest {
            let reason = format!("its sides must be at least {} pixels", self.smallest);
            return Err(ModelError::Image { width, height, reason });
        }
        let channel = |c: usize| picture.pixels().map(move |p| f32::from(p.0[c]) / 127.5 - 1.0);
        let values: Vec<f32> = (0..3).flat_map(channel).collect();
        Ok(Tensor::from_vec(values, (1, 3, height as usize, width as usize), &self.device)?)
    }

    /// What is compared, layer by layer: features of length 1 at each pixel, (N, channels, height, width), of pictures
    /// (N, 3, height, width) float32 in -1 to 1.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape or element type, and failures of the device.
    pub fn features(&self, pictures: &Tensor) -> Result<Vec<Tensor>> {
        self.watched(pictures, &|| false)
    }

    /// As [`Lpips::features`]; looks before each layer whether it is to stop.
    fn watched(&self, pictures: &Tensor, stopped: &dyn Fn() -> bool) -> Result<Vec<Tensor>> {
        if !matches!(pictures.dims(), [_, 3, _, _]) || pictures.dtype() != DType::F32 {
            let found = format!("{:?} {:?}", pictures.dims(), pictures.dtype());
            return Err(ModelError::Input { found, expected: "(N, 3, height, width) F32" });
        }
        let three = |values: [f32; 3]| Tensor::new(&values, &self.device)?.reshape((1, 3, 1, 1));
        let mut x = pictures.broadcast_sub(&three(SHIFT)?)?.broadcast_div(&three(SCALE)?)?;
        let mut features = Vec::with_capacity(self.slices.len());
        for slice in &self.slices {
            for layer in slice {
                if stopped() {
                    return Err(ModelError::Stopped);
                }
                x = layer.forward(&x)?;
            }
            let length = x.sqr()?.sum_keepdim(1)?.sqrt()?;
            features.push(x.broadcast_div(&(length + EPS)?)?);
        }
        Ok(features)
    }

    /// The same, each channel times the root of its weight: the distance of two pictures is the sum over layers of the mean over
    /// pixels of their squared difference. `stopped` is asked before each layer.
    ///
    /// # Errors
    /// As [`Lpips::features`], [`ModelError::Stopped`], and [`ModelError::Value`] for heads with a negative weight, which no
    /// trained ones have.
    pub fn weighted(&self, pictures: &Tensor, stopped: &dyn Fn() -> bool) -> Result<Vec<Tensor>> {
        let mut features = self.watched(pictures, stopped)?;
        for (number, (features, head)) in features.iter_mut().zip(&self.heads).enumerate() {
            let least = head.min_all()?.to_scalar::<f32>()?;
            if least < 0.0 {
                return Err(ModelError::Value { name: format!("lin{number}.model.1.weight"), value: least });
            }
            *features = features.broadcast_mul(&head.sqrt()?)?;
        }
        Ok(features)
    }

    /// The share of each layer in the distances of N pairs, each (N).
    ///
    /// # Errors
    /// [`ModelError::Input`] for pictures of two shapes, and as [`Lpips::features`].
    pub fn by_layer(&self, a: &Tensor, b: &Tensor) -> Result<Vec<Tensor>> {
        if a.dims() != b.dims() {
            let found = format!("pictures of {:?} and {:?}", a.dims(), b.dims());
            return Err(ModelError::Input { found, expected: "pictures of one size" });
        }
        let pairs = self.features(a)?.into_iter().zip(self.features(b)?).zip(&self.heads);
        let share = |((a, b), head): ((Tensor, Tensor), &Tensor)| {
            let weighted = (a - b)?.sqr()?.broadcast_mul(head)?.sum(1)?;
            Ok(weighted.flatten_from(1)?.mean(D::Minus1)?)
        };
        pairs.map(share).collect()
    }

    /// The distances of N pairs of pictures, (N).
    ///
    /// # Errors
    /// As [`Lpips::by_layer`].
    pub fn distance(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let mut shares = self.by_layer(a, b)?.into_iter();
        let first = shares.next().map_or_else(|| Tensor::zeros(a.dim(0)?, DType::F32, &self.device), Ok)?;
        shares.try_fold(first, |sum, share| Ok((sum + share)?))
    }
}
