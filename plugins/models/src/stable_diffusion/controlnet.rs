//! ControlNet ("Adding Conditional Control to Text-to-Image Diffusion Models", arXiv 2302.05543): a copy of the UNet's
//! encoder that reads a control picture and answers with what to add to the UNet's skips.

use candle_core::Tensor;

use super::blocks::{Context, Counter, Encoder, MidBlock};
use super::config::{ControlNetConfig, UNetConfig};
use super::nn::{self, Conv2d};
use super::time_embedding::TimeEmbedding;
use super::unet::{check_sample, check_text};
use crate::tensors::{Source, Weights};
use crate::{ModelError, Result};

/// `ControlNetModel`.
pub struct ControlNetModel {
    config: ControlNetConfig,
    time: TimeEmbedding,
    encoder: Encoder,
    mid: MidBlock,
    picture: PictureEmbedding,
    down_out: Vec<Conv2d>,
    mid_out: Conv2d,
}

/// How strongly a ControlNet acts in one forward pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Control {
    /// Factor of all residuals, diffusers' `conditioning_scale`.
    pub scale: f64,
    /// Guess mode: residuals grow from a tenth at the finest skip to the whole in the middle. No effect on networks
    /// with pooled residuals.
    pub guess: bool,
}

impl Default for Control {
    fn default() -> Self {
        Self { scale: 1.0, guess: false }
    }
}

/// What is added to the UNet's skips, first to last, and to the state in the middle.
#[derive(Debug, Clone)]
pub struct ControlResiduals {
    /// One for each skip: `(batch, channels, height, width)`, or `(batch, channels, 1, 1)` from pooling networks.
    pub down: Vec<Tensor>,
    /// For the middle block.
    pub mid: Tensor,
}

impl ControlNetModel {
    /// Builds the network and checks that `source` holds its tensors and no others.
    ///
    /// # Errors
    /// As [`Source::finish`].
    pub fn load(config: ControlNetConfig, source: &Source) -> Result<Self> {
        let net = Self::new(config, &source.weights())?;
        source.finish("the ControlNet", |_| false)?;
        Ok(net)
    }

    /// Builds the network at a place in a source; the caller calls [`Source::finish`].
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn new(config: ControlNetConfig, weights: &Weights) -> Result<Self> {
        let encoder_config = &config.encoder;
        let mut counter = Counter::default();
        let outputs = weights.pp("controlnet_down_blocks");
        let pointwise = |channels, at: &Weights| nn::conv2d(channels, channels, 1, 1, 0, at);
        let down_out = skip_channels(&config)
            .into_iter()
            .enumerate()
            .map(|(i, channels)| pointwise(channels, &outputs.pp(i)))
            .collect::<Result<_>>()?;
        let last = encoder_config.levels.last().map_or(0, |l| l.channels);
        Ok(Self {
            time: TimeEmbedding::new(encoder_config, weights)?,
            encoder: Encoder::new(encoder_config, &mut counter, weights)?,
            mid: MidBlock::new(encoder_config, &mut counter, weights)?,
            picture: PictureEmbedding::new(&config, &weights.pp("controlnet_cond_embedding"))?,
            down_out,
            mid_out: pointwise(last, &weights.pp("controlnet_mid_block"))?,
            config,
        })
    }

    /// What it was built from.
    pub fn config(&self) -> &ControlNetConfig {
        &self.config
    }

    /// Brings a control picture, `(batch, 3, 8 height, 8 width)` in 0..=1, red first, to the size of the latent. It is the same at
    /// every step: compute it once.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another number of channels, and failures of the device.
    pub fn embed(&self, picture: &Tensor) -> Result<Tensor> {
        match picture.dims() {
            [_, channels, _, _] if *channels == self.config.conditioning_channels => {}
            dims => {
                return Err(ModelError::Input {
                    found: format!("a control picture {dims:?}"),
                    expected: "(batch, conditioning_channels, height, width), usually three channels",
                });
            }
        }
        if self.config.bgr {
            self.picture.forward(&picture.flip(&[1])?)
        } else {
            self.picture.forward(picture)
        }
    }

    /// The residuals for a UNet that gets the same `sample`, `timesteps` and `text`; see
    /// [`super::unet::UNet2DConditionModel::forward`] for their shapes. `picture` comes from [`Self::embed`], for the whole
    /// batch or one for all.
    ///
    /// # Errors
    /// [`ModelError::Input`] for shapes that do not fit, and failures of the device.
    pub fn forward(
        &self,
        sample: &Tensor,
        timesteps: &[f64],
        text: &Tensor,
        picture: &Tensor,
        control: Control,
    ) -> Result<ControlResiduals> {
        let config = &self.config.encoder;
        check_sample(sample, config.in_channels)?;
        let batch = sample.dim(0)?;
        check_text(text, batch, config.cross_attention_dim)?;
        let time = self.time.forward(timesteps, batch, None, sample.dtype(), sample.device())?;
        let context = Context { time: time.silu()?, text, images: &[] };
        let entered = add_picture(&self.encoder.enter(sample)?, picture)?;
        let (state, skips) = self.encoder.forward(entered, &context)?;
        let state = self.mid.forward(&state, &context)?;
        let scales = self.scales(skips.len(), control);
        let scaled = |conv: &Conv2d, x: &Tensor, scale: f64| self.finished(&conv.forward(x)?, scale);
        let mid = scaled(&self.mid_out, &state, scales[skips.len()])?;
        let down = self.down_out.iter().zip(&skips).zip(&scales);
        let down = down.map(|((conv, skip), scale)| scaled(conv, skip, *scale)).collect::<Result<_>>()?;
        Ok(ControlResiduals { down, mid })
    }

    /// A factor for each skip, and one for the middle.
    fn scales(&self, skips: usize, control: Control) -> Vec<f64> {
        if control.guess && !self.config.global_pool {
            return guess_scales(skips).into_iter().map(|s| s * control.scale).collect();
        }
        vec![control.scale; skips + 1]
    }

    fn finished(&self, residual: &Tensor, scale: f64) -> Result<Tensor> {
        let residual = (residual * scale)?;
        if self.config.global_pool { Ok(residual.mean_keepdim((2, 3))?) } else { Ok(residual) }
    }
}

impl ControlResiduals {
    /// Adds another ControlNet's residuals.
    ///
    /// # Errors
    /// [`ModelError::Input`] if they are of another network's shape, and failures of the device.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        if self.down.len() != other.down.len() {
            let found = format!("{} and {} residuals to be added", self.down.len(), other.down.len());
            return Err(ModelError::Input { found, expected: "ControlNets of one base model" });
        }
        let add = |a: &Tensor, b: &Tensor| -> Result<Tensor> {
            let fit = a.dims().iter().zip(b.dims()).all(|(a, b)| a == b || *a == 1 || *b == 1);
            if !fit {
                let found = format!("residuals {:?} and {:?} to be added", a.dims(), b.dims());
                return Err(ModelError::Input { found, expected: "ControlNets of one base model" });
            }
            Ok(a.broadcast_add(b)?)
        };
        let down = self.down.iter().zip(&other.down).map(|(a, b)| add(a, b)).collect::<Result<_>>()?;
        Ok(Self { down, mid: add(&self.mid, &other.mid)? })
    }

    /// Puts zeros before the batch, for the unconditional half of guess mode.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn after_zeros(&self) -> Result<Self> {
        let doubled = |t: &Tensor| -> Result<Tensor> { Ok(Tensor::cat(&[&t.zeros_like()?, t], 0)?) };
        Ok(Self { down: self.down.iter().map(doubled).collect::<Result<_>>()?, mid: doubled(&self.mid)? })
    }

    /// Adds each to its skip, and the last to the state in the middle. A list that is too short is refused, not cut off.
    pub(super) fn add_to(&self, skips: &mut [Tensor], mid: &mut Tensor) -> Result<()> {
        if self.down.len() != skips.len() {
            return Err(ModelError::Input {
                found: format!("{} residuals for {} skips", self.down.len(), skips.len()),
                expected: "one residual for each skip of the UNet: a ControlNet of the same base model",
            });
        }
        for (i, (skip, residual)) in skips.iter_mut().zip(&self.down).enumerate() {
            *skip = added(skip, residual, &format!("residual {i}"))?;
        }
        *mid = added(mid, &self.mid, "the middle residual")?;
        Ok(())
    }
}

fn added(state: &Tensor, residual: &Tensor, what: &str) -> Result<Tensor> {
    let fits = match (state.dims(), residual.dims()) {
        ([b, c, h, w], [rb, rc, rh, rw]) => {
            (b, c) == (rb, rc) && ((h, w) == (rh, rw) || (*rh, *rw) == (1, 1))
        }
        _ => false,
    };
    if !fits {
        return Err(ModelError::Input {
            found: format!("{what} {:?} for a state {:?}", residual.dims(), state.dims()),
            expected: "residuals of the UNet's own shapes: a ControlNet of the same base model and batch",
        });
    }
    Ok(state.broadcast_add(residual)?)
}

/// A picture for one sample may be meant for all of them.
fn add_picture(entered: &Tensor, picture: &Tensor) -> Result<Tensor> {
    let fits = match (entered.dims(), picture.dims()) {
        ([b, c, h, w], [pb, pc, ph, pw]) => (c, h, w) == (pc, ph, pw) && (pb == b || *pb == 1),
        _ => false,
    };
    if !fits {
        return Err(ModelError::Input {
            found: format!(
                "an embedded control picture {:?} for a state {:?}",
                picture.dims(),
                entered.dims()
            ),
            expected: "a control picture of the image's size: eight times the latent's, for each sample or for all",
        });
    }
    Ok(entered.broadcast_add(picture)?)
}

/// Channels of every skip, first to last.
fn skip_channels(config: &ControlNetConfig) -> Vec<usize> {
    let levels = &config.encoder.levels;
    let mut channels = vec![config.encoder.first_channels()];
    for (i, level) in levels.iter().enumerate() {
        let downsampling = usize::from(i + 1 < levels.len());
        channels.extend(std::iter::repeat_n(level.channels, level.layers + downsampling));
    }
    channels
}

/// `skips + 1` factors from 0.1 to 1, evenly spaced in their logarithm, rounded to float32 as diffusers' are.
fn guess_scales(skips: usize) -> Vec<f64> {
    let exponent = |i: usize| i as f64 / skips as f64 - 1.0;
    (0..=skips).map(|i| f64::from(10f64.powf(exponent(i)) as f32)).collect()
}

/// `ControlNetConditioningEmbedding`: eight times smaller in three strides.
struct PictureEmbedding {
    convs: Vec<Conv2d>,
    conv_out: Conv2d,
}

impl PictureEmbedding {
    fn new(config: &ControlNetConfig, weights: &Weights) -> Result<Self> {
        let channels = &config.embedding_channels;
        let first = channels.first().copied().unwrap_or_default();
        let last = channels.last().copied().unwrap_or_default();
        let mut convs =
            vec![nn::conv2d(config.conditioning_channels, first, 3, 1, 1, &weights.pp("conv_in"))?];
        let blocks = weights.pp("blocks");
        for (i, pair) in channels.windows(2).enumerate() {
            convs.push(nn::conv2d(pair[0], pair[0], 3, 1, 1, &blocks.pp(2 * i))?);
            convs.push(nn::conv2d(pair[0], pair[1], 3, 2, 1, &blocks.pp(2 * i + 1))?);
        }
        let outputs = config.encoder.first_channels();
        Ok(Self { convs, conv_out: nn::conv2d(last, outputs, 3, 1, 1, &weights.pp("conv_out"))? })
    }

    fn forward(&self, picture: &Tensor) -> Result<Tensor> {
        let mut x = picture.clone();
        for conv in &self.convs {
            x = nn::silu(&conv.forward(&x)?)?;
        }
        self.conv_out.forward(&x)
    }
}

/// Several ControlNets at once: the sum of their residuals.
pub struct MultiControlNet {
    nets: Vec<ControlNetModel>,
}

impl MultiControlNet {
    /// Refuses an empty list and networks that do not fit `unet`.
    ///
    /// # Errors
    /// [`ModelError::Config`] as [`ControlNetConfig::fits`], [`ModelError::Input`] for an empty list.
    pub fn new(nets: Vec<ControlNetModel>, unet: &UNetConfig) -> Result<Self> {
        if nets.is_empty() {
            let found = "no ControlNet".to_owned();
            return Err(ModelError::Input { found, expected: "at least one" });
        }
        nets.iter().try_for_each(|net| net.config.fits(unet))?;
        Ok(Self { nets })
    }

    /// The networks, in the order of pictures and controls.
    pub fn nets(&self) -> &[ControlNetModel] {
        &self.nets
    }

    /// As [`ControlNetModel::forward`], with an embedded picture and a strength for each network. A network whose scale is
    /// zero is left out; `None` if all are.
    ///
    /// # Errors
    /// [`ModelError::Input`] if the lists differ in length, and as [`ControlNetModel::forward`].
    pub fn forward(
        &self,
        sample: &Tensor,
        timesteps: &[f64],
        text: &Tensor,
        pictures: &[Tensor],
        controls: &[Control],
    ) -> Result<Option<ControlResiduals>> {
        if pictures.len() != self.nets.len() || controls.len() != self.nets.len() {
            let found = format!(
                "{} pictures and {} strengths for {} ControlNets",
                pictures.len(),
                controls.len(),
                self.nets.len()
            );
            return Err(ModelError::Input { found, expected: "one of each for every ControlNet" });
        }
        let mut sum: Option<ControlResiduals> = None;
        for ((net, picture), control) in self.nets.iter().zip(pictures).zip(controls) {
            if control.scale == 0.0 {
                continue;
            }
            let residuals = net.forward(sample, timesteps, text, picture, *control)?;
            sum = Some(match sum {
                Some(sum) => sum.plus(&residuals)?,
                None => residuals,
            });
        }
        Ok(sum)
    }
}

/// Whether a ControlNet acts at `step` of `steps` when it is confined to the fractions `start..=end` of the steps: it does
/// if the whole step lies within them, the rule of diffusers (`control_guidance_start`, `control_guidance_end`).
pub fn acts(step: usize, steps: usize, start: f64, end: f64) -> bool {
    let steps = steps as f64;
    step as f64 / steps >= start && (step as f64 + 1.0) / steps <= end
}

#[cfg(test)]
mod tests;
