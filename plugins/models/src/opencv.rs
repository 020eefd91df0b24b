//! What OpenCV does to 8-bit pictures, equal to it pixel for pixel: Canny's edges, dilation and erosion, resampling.
//!
//! ControlNet was trained on edges that OpenCV found, and the published pipelines prepare their pictures with it, so a
//! look-alike is not enough: one edge more or less is another control image. Each function states the rule it follows
//! where a textbook leaves room (ties, borders, anchors, rounding). `tests/opencv.rs` holds all of them to no differing pixel
//! against OpenCV 4.11 and 5.0, which agree with each other there.
//!
//! All functions take pictures of the `image` crate with 1 to 4 interleaved channels and treat the channels alike;
//! nothing here knows about alpha.

mod canny;
mod gray;
mod morphology;
mod resize;

use image::{ImageBuffer, Pixel};

pub use canny::{Gradient, canny};
pub use gray::gray;
pub use morphology::{Rectangle, dilate, erode};
pub use resize::{EmptyPicture, Interpolation, resize};

/// An 8-bit picture with `P::CHANNEL_COUNT` interleaved channels, rows from the top.
pub type Picture<P> = ImageBuffer<P, Vec<u8>>;

/// Width, height and channels as sizes of memory.
fn dimensions<P: Pixel<Subpixel = u8>>(picture: &Picture<P>) -> (usize, usize, usize) {
    (picture.width() as usize, picture.height() as usize, usize::from(P::CHANNEL_COUNT))
}
