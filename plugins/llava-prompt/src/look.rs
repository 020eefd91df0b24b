//! How a product is looked at.

use adeval_candle::eyes::{Eyes, Seen};
use adeval_candle::plugin_error;
use adeval_models::llava::Llava;
use adeval_models::llava::grid::Extent;
use adeval_sdk::prelude::*;
use image::{Rgb, RgbImage};

/// A product over white, as shops show it. Where the tower is trained the embeddings have their graph.
pub fn seen(llava: &Llava, image: &Image) -> Result<Seen> {
    let picture = over_white(image);
    let embeds = llava.look(&picture).map_err(plugin_error)?;
    let (width, height) = picture.dimensions();
    Ok(Seen { embeds, size: Extent { height, width } })
}

/// The same without a graph, kept.
pub fn look(eyes: &mut Eyes, llava: &Llava, image: &Image) -> Result<Seen> {
    eyes.look(image.hash(), || seen(llava, image))
}

fn over_white(cutout: &Image) -> RgbImage {
    let cutout = cutout.to_rgba();
    RgbImage::from_fn(cutout.width(), cutout.height(), |x, y| {
        let [r, g, b, alpha] = cutout.get_pixel(x, y).0.map(u32::from);
        Rgb([r, g, b].map(|level| ((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}
