//! Embeddings of pictures. Tower and projector are the same for every question about a product, so what they made of its picture is
//! kept, within bounds.

use std::collections::VecDeque;

use adeval_candle::plugin_error;
use adeval_models::llava::Llava;
use adeval_models::llava::grid::Extent;
use adeval_sdk::prelude::*;
use candle_core::Tensor;
use image::{Rgb, RgbImage};

/// Bytes of embeddings that are kept: 5 pictures of a 7B model in five tiles, and thousands of a tiny one's.
const MOST: usize = 256 << 20;

/// A picture's embeddings, and its size in pixels.
#[derive(Clone)]
pub struct Seen {
    pub embeds: Tensor,
    pub size: Extent,
}

impl Seen {
    /// Looks at a product over white, as shops show it. Where the tower is trained the embeddings have their graph.
    pub fn new(llava: &Llava, image: &Image) -> Result<Self> {
        let picture = over_white(image);
        let embeds = llava.look(&picture).map_err(plugin_error)?;
        let (width, height) = picture.dimensions();
        Ok(Self { embeds, size: Extent { height, width } })
    }

    fn bytes(&self) -> usize {
        self.embeds.elem_count() * self.embeds.dtype().size_in_bytes()
    }
}

/// Pictures that were seen, the oldest first.
#[derive(Default)]
pub struct Eyes {
    seen: VecDeque<(String, Seen)>,
    bytes: usize,
}

impl Eyes {
    /// A picture's embeddings, without a graph: those that are kept, or new ones.
    pub fn look(&mut self, llava: &Llava, image: &Image) -> Result<Seen> {
        let key = image.hash();
        if let Some((_, seen)) = self.seen.iter().find(|(known, _)| *known == key) {
            return Ok(seen.clone());
        }
        let Seen { embeds, size } = Seen::new(llava, image)?;
        let seen = Seen { embeds: embeds.detach(), size };
        self.bytes += seen.bytes();
        self.seen.push_back((key, seen.clone()));
        self.bound();
        Ok(seen)
    }

    fn bound(&mut self) {
        while self.bytes > MOST
            && let Some((_, oldest)) = self.seen.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// Forgets all: the tower is another one.
    pub fn close(&mut self) {
        *self = Self::default();
    }
}

fn over_white(cutout: &Image) -> RgbImage {
    let cutout = cutout.to_rgba();
    RgbImage::from_fn(cutout.width(), cutout.height(), |x, y| {
        let [r, g, b, alpha] = cutout.get_pixel(x, y).0.map(u32::from);
        Rgb([r, g, b].map(|level| ((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn what_is_kept_is_bounded() {
        let mut eyes = Eyes::default();
        let large = Seen {
            embeds: Tensor::zeros(MOST / 8, DType::F32, &Device::Cpu).expect("zeros"),
            size: Extent { height: 1, width: 1 },
        };
        for number in 0..5 {
            eyes.bytes += large.bytes();
            eyes.seen.push_back((number.to_string(), large.clone()));
        }
        assert!(eyes.bytes > MOST);
        eyes.bound();
        assert_eq!(eyes.seen.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["3", "4"]);
        assert_eq!(eyes.bytes, MOST);
        eyes.close();
        assert_eq!((eyes.bytes, eyes.seen.len()), (0, 0));
    }
}
