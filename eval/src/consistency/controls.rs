//! Pictures that an encoder compares: the creative with the product as it should be, the product alone, the scene alone.

use super::pairs::OPAQUE;
use super::place::{covering, on_canvas, span};
use image::imageops::{self, FilterType};
use image::{Rgb, Rgb32FImage, RgbImage, Rgba, Rgba32FImage, RgbaImage};

/// Pixels around the product's box that a perceptual metric sees, too.
const MARGIN: u32 = 16;
/// The ground on which the product is shown alone: half of sRGB.
const GROUND: u8 = 128;
/// The scene is filled at this fraction of its size: what shows through a product is a guess, and a coarse one will do.
const COARSE: u32 = 8;
/// Reaches of the fill in coarse pixels, near ones first.
const REACHES: [f32; 3] = [1.0, 4.0, 16.0];

/// The creative around the product's box, as it is and with the product's opaque pixels as they should be: what differs
/// between the two has changed on the product. `None` when the box lies off the canvas.
pub fn as_it_is_and_should_be(
    creative: &RgbImage,
    product: &RgbaImage,
    left: i32,
    top: i32,
) -> Option<[RgbImage; 2]> {
    let (x, width) = span(left, product.width(), creative.width(), MARGIN);
    let (y, height) = span(top, product.height(), creative.height(), MARGIN);
    if width == 0 || height == 0 {
        return None;
    }
    let is = imageops::crop_imm(creative, x, y, width, height).to_image();
    let mut should_be = is.clone();
    let corner = (left - x as i32, top - y as i32);
    for (px, py, Rgba([r, g, b, alpha])) in on_canvas(product, corner, (width, height)) {
        if *alpha >= OPAQUE {
            should_be.put_pixel(px, py, Rgb([*r, *g, *b]));
        }
    }
    Some([is, should_be])
}

/// The product alone on a grey canvas of the creative's size, where it lies.
pub fn product_alone(creative: &RgbImage, product: &RgbaImage, left: i32, top: i32) -> RgbImage {
    let mut canvas = RgbImage::from_pixel(creative.width(), creative.height(), Rgb([GROUND; 3]));
    for (x, y, Rgba([r, g, b, alpha])) in on_canvas(product, (left, top), creative.dimensions()) {
        let share = f32::from(*alpha) / 255.0;
        let over = [*r, *g, *b].map(|v| (f32::from(v) - f32::from(GROUND)).mul_add(share, f32::from(GROUND)));
        canvas.put_pixel(x, y, Rgb(over.map(|v| v.round() as u8)));
    }
    canvas
}

/// The scene without the product: its place filled with the colours around it, which leaves no shape of it to be seen.
pub fn scene_alone(creative: &RgbImage, product: &RgbaImage, left: i32, top: i32) -> RgbImage {
    let covered = |x, y| covering(product, (left, top), x, y).is_some_and(|pixel| pixel.0[3] > 0);
    let (width, height) = creative.dimensions();
    let weighted = Rgba32FImage::from_fn(width, height, |x, y| {
        let weight = if covered(x, y) { 0.0 } else { 1.0 };
        let [r, g, b] = creative.get_pixel(x, y).0.map(|v| f32::from(v) * weight);
        Rgba([r, g, b, weight])
    });
    let fill = filled(&weighted);
    RgbImage::from_fn(width, height, |x, y| {
        if covered(x, y) {
            Rgb(fill.get_pixel(x, y).0.map(|v| v.round() as u8))
        } else {
            *creative.get_pixel(x, y)
        }
    })
}

/// Colours wherever there are none, from the nearest reach that finds some; grey where nothing is left of the scene.
fn filled(weighted: &Rgba32FImage) -> Rgb32FImage {
    let coarse = |size: u32| (size / COARSE).max(1);
    let (width, height) = weighted.dimensions();
    let small = imageops::resize(weighted, coarse(width), coarse(height), FilterType::Triangle);
    let reaches = REACHES.map(|reach| imageops::blur(&small, reach));
    let colour = Rgb32FImage::from_fn(small.width(), small.height(), |x, y| {
        let found = reaches.iter().map(|image| image.get_pixel(x, y).0).find(|[.., weight]| *weight > 0.05);
        Rgb(found.map_or([f32::from(GROUND); 3], |[r, g, b, weight]| [r, g, b].map(|v| v / weight)))
    });
    imageops::resize(&colour, width, height, FilterType::Triangle)
}
