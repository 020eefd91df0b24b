//! From latents to pictures.

use candle_core::Tensor;
use image::RgbImage;

use super::{check_finite, pictures};
use crate::Result;
use crate::stable_diffusion::vae::Vae;

/// Decodes picture by picture, so that memory does not grow with the batch.
pub fn pictures(vae: &Vae, latents: &Tensor) -> Result<Vec<RgbImage>> {
    let latents = (latents * (1.0 / vae.config().scaling_factor))?;
    let one = |i| {
        let picture = vae.decode(&latents.narrow(0, i, 1)?)?.squeeze(0)?;
        check_finite("a picture that the VAE decoded", &picture)?;
        pictures::bytes(&picture)
    };
    (0..latents.dim(0)?).map(one).collect()
}
