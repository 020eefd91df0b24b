//! What a run starts from, drawn in the order of diffusers.

use candle_core::Tensor;
use image::{GrayImage, RgbImage};

use super::{Job, Pipeline, Settings, Start, pictures};
use crate::Result;
use crate::schedulers::Scheduler;
use crate::stable_diffusion::vae::Vae;
use crate::torch_rng::{Generator, Noise};

/// Latents at the first step, and what inpainting needs at every step.
pub struct Prepared {
    /// `(jobs, 4, height / 8, width / 8)`.
    pub latents: Tensor,
    /// Only where a mask is.
    pub mask: Option<Masked>,
}

/// The parts of inpainting.
pub struct Masked {
    /// `(jobs, 1, height / 8, width / 8)`, 1 where the picture is made anew.
    pub mask: Tensor,
    pub how: Inpainting,
}

/// How a UNet learns of what is to be kept.
pub enum Inpainting {
    /// A UNet of 4 channels does not: after every step the kept part is put back, with as much noise as the rest has.
    Blend {
        /// The picture's latents.
        picture: Tensor,
        /// The noise that the run began with.
        noise: Tensor,
    },
    /// A UNet of 9 channels sees the masked picture's latents beside its own.
    Channels(Tensor),
}

/// Draws from `noise` and encodes what the jobs start from.
pub fn prepare(
    pipeline: &Pipeline,
    vae: &Vae,
    jobs: &[Job],
    settings: &Settings,
    scheduler: &dyn Scheduler,
    first: usize,
    noise: &mut Vec<Generator>,
) -> Result<Prepared> {
    let inputs = inputs(jobs);
    let blends = pipeline.unet.config().encoder.in_channels == 4;
    let whole = settings.strength >= 1.0;
    // Image to image always starts from the picture; inpainting at full strength from noise alone.
    let starts_from_noise = inputs.pictures.is_empty() || (!inputs.masks.is_empty() && whole);
    let needs_picture = !inputs.pictures.is_empty() && (!starts_from_noise || blends);
    let mut encoder = Encoder { vae, pipeline, noise };
    let picture = match needs_picture {
        true => Some(encoder.sample(&pictures::signed(&inputs.pictures)?)?),
        false => None,
    };
    let drawn = encoder.normal(jobs.len(), settings)?;
    let latents = match &picture {
        Some(picture) if !starts_from_noise => scheduler.add_noise(picture, &drawn, first)?,
        _ => (&drawn * scheduler.init_noise_sigma())?,
    };
    let mask = match inputs.masks.is_empty() {
        true => None,
        false => Some(encoder.masked(&inputs, picture, drawn, blends)?),
    };
    Ok(Prepared { latents, mask })
}

#[derive(Default)]
struct Inputs<'a> {
    pictures: Vec<&'a RgbImage>,
    masks: Vec<&'a GrayImage>,
}

fn inputs(jobs: &[Job]) -> Inputs<'_> {
    let mut inputs = Inputs::default();
    for job in jobs {
        match &job.start {
            Start::Noise => {}
            Start::Picture(picture) => inputs.pictures.push(picture),
            Start::Inpaint { picture, mask } => {
                inputs.pictures.push(picture);
                inputs.masks.push(mask);
            }
        }
    }
    inputs
}

struct Encoder<'a> {
    vae: &'a Vae,
    pipeline: &'a Pipeline,
    noise: &'a mut Vec<Generator>,
}

impl Encoder<'_> {
    /// In the UNet's type and on its device.
    fn fitted(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.to_device(&self.pipeline.device)?.to_dtype(self.pipeline.dtype)?)
    }

    fn normal(&mut self, jobs: usize, settings: &Settings) -> Result<Tensor> {
        let (height, width) = settings.latent_size(self.vae.config().downscale());
        let shape = [jobs, self.vae.config().latent_channels, height, width];
        self.noise.normal(&shape, self.pipeline.dtype, &self.pipeline.device)
    }

    /// A sample of the posterior of each picture, scaled; pictures are encoded one by one, as each has its generator.
    fn sample(&mut self, pictures: &Tensor) -> Result<Tensor> {
        let pictures = self.fitted(pictures)?;
        let mut latents = Vec::new();
        for i in 0..pictures.dim(0)? {
            let posterior = self.vae.encode(&pictures.narrow(0, i, 1)?)?;
            let mean = posterior.mode();
            let drawn = self.noise[i].normal(mean.dims(), mean.dtype(), mean.device())?;
            latents.push((posterior.sample(&drawn)? * self.vae.config().scaling_factor)?);
        }
        Ok(Tensor::cat(&latents, 0)?)
    }

    /// The masked picture's posterior is drawn even by UNets of 4 channels, which have no use for it: so does diffusers.
    fn masked(
        &mut self,
        inputs: &Inputs,
        picture: Option<Tensor>,
        drawn: Tensor,
        blends: bool,
    ) -> Result<Masked> {
        let kept = pictures::binary(&inputs.masks)?.affine(-1.0, 1.0)?;
        let masked = pictures::signed(&inputs.pictures)?.broadcast_mul(&kept)?;
        let mask = pictures::binary_of_latents(&inputs.masks, self.vae.config().downscale())?;
        let mask = self.fitted(&mask)?;
        let how = match picture {
            Some(picture) if blends => {
                self.skip(&masked)?;
                Inpainting::Blend { picture, noise: drawn }
            }
            _ => Inpainting::Channels(self.sample(&masked)?),
        };
        Ok(Masked { mask, how })
    }

    /// Draws what [`Encoder::sample`] would, without the work of encoding.
    fn skip(&mut self, pictures: &Tensor) -> Result<()> {
        let (jobs, _, height, width) = pictures.dims4()?;
        let factor = self.vae.config().downscale();
        let shape = [jobs, self.vae.config().latent_channels, height / factor, width / factor];
        self.noise.normal(&shape, self.pipeline.dtype, &candle_core::Device::Cpu)?;
        Ok(())
    }
}
