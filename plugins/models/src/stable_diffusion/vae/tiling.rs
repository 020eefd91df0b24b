//! Encoding and decoding in overlapping tiles, blended linearly where they overlap: bounded memory for large pictures.

use candle_core::Tensor;

use super::VaeConfig;
use crate::{ModelError, Result};

/// Sizes of tiles.
#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    /// Side of a tile of a picture, in pixels.
    pub picture: usize,
    /// Side of a tile of a latent.
    pub latent: usize,
    /// The share of a tile's side that its neighbour covers too, at least 0 and below 1.
    pub overlap: f64,
}

impl Tiling {
    /// The tiles of diffusers: as large as the training pictures, a quarter of each shared with the next.
    pub fn new(config: &VaeConfig) -> Self {
        Self { picture: config.sample_size, latent: config.sample_size / config.downscale(), overlap: 0.25 }
    }

    pub(super) fn exceeded_by_picture(&self, picture: &Tensor) -> bool {
        picture.dims()[2..].iter().any(|&side| side > self.picture)
    }

    pub(super) fn exceeded_by_latent(&self, latent: &Tensor) -> bool {
        latent.dims()[2..].iter().any(|&side| side > self.latent)
    }

    pub(super) fn encode(&self, picture: &Tensor, run: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        tiled(picture, self.picture, self.latent, self.overlap, run)
    }

    pub(super) fn decode(&self, latent: &Tensor, run: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        tiled(latent, self.latent, self.picture, self.overlap, run)
    }
}

/// Runs tiles of side `from` that become tiles of side `to`. Each finished tile is blended with the finished one above it
/// and the finished one to its left, and gives its part without the overlap.
fn tiled(
    x: &Tensor,
    from: usize,
    to: usize,
    overlap: f64,
    run: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let step = (from as f64 * (1.0 - overlap)) as usize;
    let blend = (to as f64 * overlap) as usize;
    if step == 0 || step > from || blend >= to {
        let found = format!("tiles of {from} that become {to} with an overlap of {overlap}");
        return Err(ModelError::Input {
            found,
            expected: "tiles that advance: an overlap of 0 or more and below 1",
        });
    }
    let kept = to - blend;
    let mut above: Vec<Tensor> = Vec::new();
    let mut rows = Vec::with_capacity(height.div_ceil(step));
    for top in (0..height).step_by(step) {
        let mut row: Vec<Tensor> = Vec::with_capacity(width.div_ceil(step));
        let mut parts = Vec::with_capacity(width.div_ceil(step));
        for (i, left) in (0..width).step_by(step).enumerate() {
            let tile = x.narrow(2, top, from.min(height - top))?.narrow(3, left, from.min(width - left))?;
            let mut tile = run(&tile.contiguous()?)?;
            if let Some(upper) = above.get(i) {
                tile = blended(upper, &tile, 2, blend)?;
            }
            if let Some(before) = row.last() {
                tile = blended(before, &tile, 3, blend)?;
            }
            let part = tile.narrow(2, 0, kept.min(tile.dim(2)?))?;
            parts.push(part.narrow(3, 0, kept.min(tile.dim(3)?))?);
            row.push(tile);
        }
        rows.push(Tensor::cat(&parts, 3)?);
        above = row;
    }
    Ok(Tensor::cat(&rows, 2)?)
}

/// `next`, whose first `extent` places along `dim` pass linearly from the last ones of `before` to its own.
fn blended(before: &Tensor, next: &Tensor, dim: usize, extent: usize) -> Result<Tensor> {
    let (length, size) = (before.dim(dim)?, next.dim(dim)?);
    let extent = extent.min(length).min(size);
    if extent == 0 {
        return Ok(next.clone());
    }
    let mut shape = [1; 4];
    shape[dim] = extent;
    let share: Vec<f32> = (0..extent).map(|i| i as f32 / extent as f32).collect();
    let share = Tensor::from_vec(share, &shape, next.device())?.to_dtype(next.dtype())?;
    let old = before.narrow(dim, length - extent, extent)?;
    let new = next.narrow(dim, 0, extent)?;
    let mixed = (old.broadcast_mul(&share.affine(-1.0, 1.0)?)? + new.broadcast_mul(&share)?)?;
    if extent == size {
        return Ok(mixed);
    }
    Ok(Tensor::cat(&[mixed, next.narrow(dim, extent, size - extent)?], dim)?)
}
