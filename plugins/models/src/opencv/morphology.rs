//! Dilation and erosion with a rectangle.

use std::ops::Range;

use image::Pixel;

use super::{Picture, dimensions};

/// A rectangular kernel, all ones, in pixels. A side of 0 counts as 1, which leaves that direction as it is.
///
/// OpenCV anchors it at `side / 2`, so an even side reaches one pixel further to the left and to the top: 20 covers
/// the offsets -10 to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Rectangle {
    /// A square of `side` pixels.
    #[must_use]
    pub const fn square(side: u32) -> Self {
        Self { width: side, height: side }
    }
}

/// The largest value under the kernel for every pixel and channel, equal to `cv2.dilate(picture, np.ones((height, width)))`.
///
/// Pixels beyond the border do not count. As in OpenCV the kernel is not mirrored, for dilation no more than for erosion.
#[must_use]
pub fn dilate<P: Pixel<Subpixel = u8>>(picture: &Picture<P>, kernel: Rectangle) -> Picture<P> {
    filter(picture, kernel, u8::max)
}

/// The smallest value under the kernel for every pixel and channel, equal to `cv2.erode(picture, np.ones((height, width)))`.
///
/// Pixels beyond the border do not count.
#[must_use]
pub fn erode<P: Pixel<Subpixel = u8>>(picture: &Picture<P>, kernel: Rectangle) -> Picture<P> {
    filter(picture, kernel, u8::min)
}

/// A rectangle's extreme is the extreme along columns of the extremes along rows.
fn filter<P: Pixel<Subpixel = u8>>(
    picture: &Picture<P>,
    kernel: Rectangle,
    pick: impl Fn(u8, u8) -> u8 + Copy,
) -> Picture<P> {
    let (width, height, channels) = dimensions(picture);
    let stride = width * channels;
    let mut across = vec![0; stride * height];
    if stride > 0 {
        for (out, row) in across.chunks_exact_mut(stride).zip(picture.as_raw().chunks_exact(stride)) {
            along_row(row, out, width, channels, kernel.width as usize, pick);
        }
    }
    let mut result = Picture::new(picture.width(), picture.height());
    if stride > 0 {
        for (y, out) in result.chunks_exact_mut(stride).enumerate() {
            let rows = window(y, kernel.height as usize, height);
            out.copy_from_slice(&across[rows.start * stride..(rows.start + 1) * stride]);
            for row in across[(rows.start + 1) * stride..rows.end * stride].chunks_exact(stride) {
                out.iter_mut().zip(row).for_each(|(value, other)| *value = pick(*value, *other));
            }
        }
    }
    result
}

fn along_row(
    row: &[u8],
    out: &mut [u8],
    width: usize,
    channels: usize,
    side: usize,
    pick: impl Fn(u8, u8) -> u8,
) {
    for x in 0..width {
        let columns = window(x, side, width);
        for channel in 0..channels {
            let first = row[columns.start * channels + channel];
            let rest = (columns.start + 1..columns.end).map(|column| row[column * channels + channel]);
            out[x * channels + channel] = rest.fold(first, &pick);
        }
    }
}

/// The positions under a kernel of `side` at `at`, cut to `0..length`; `at` itself is always among them.
fn window(at: usize, side: usize, length: usize) -> Range<usize> {
    let side = side.max(1);
    let anchor = side / 2;
    at.saturating_sub(anchor)..at.saturating_add(side - anchor).min(length)
}
