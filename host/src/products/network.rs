//! The cut-out network as a [`Matting`], loaded when the first product needs it.

use super::Matting;
use adeval_cutout::CutOut;
use image::{GrayImage, RgbImage};
use std::sync::OnceLock;

/// U2-Net-p, loaded at first use.
#[derive(Default)]
pub struct CutOutNetwork(OnceLock<Result<CutOut, String>>);

impl Matting for CutOutNetwork {
    fn alpha(&self, photograph: &RgbImage) -> Result<GrayImage, String> {
        let network = self.0.get_or_init(|| CutOut::load().map_err(|e| e.to_string()));
        network.as_ref().map_err(Clone::clone)?.alpha(photograph).map_err(|e| e.to_string())
    }
}
