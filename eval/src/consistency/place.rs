//! Where a product's pixels are on a canvas, which its box may reach over.

use image::{Rgba, RgbaImage};

/// The product's pixel at a place of the canvas, when its corner lies at `corner`.
pub(super) fn covering(product: &RgbaImage, corner: (i32, i32), x: u32, y: u32) -> Option<&Rgba<u8>> {
    let inner = |at: u32, from: i32| u32::try_from(i64::from(at) - i64::from(from)).ok();
    product.get_pixel_checked(inner(x, corner.0)?, inner(y, corner.1)?)
}

/// The product's pixels that lie on a canvas of `size`, with their places on it.
pub(super) fn on_canvas(
    product: &RgbaImage,
    corner: (i32, i32),
    size: (u32, u32),
) -> impl Iterator<Item = (u32, u32, &Rgba<u8>)> {
    product.enumerate_pixels().filter_map(move |(x, y, pixel)| {
        let at = |inner: u32, from: i32, size: u32| {
            u32::try_from(i64::from(inner) + i64::from(from)).ok().filter(|at| *at < size)
        };
        Some((at(x, corner.0, size.0)?, at(y, corner.1, size.1)?, pixel))
    })
}

/// The part of an axis of `canvas` pixels that a side of `size` pixels from `at` on covers, `margin` pixels wider at
/// both ends: its start and its length.
pub(super) fn span(at: i32, size: u32, canvas: u32, margin: u32) -> (u32, u32) {
    let bounded = |value: i64| value.clamp(0, i64::from(canvas)) as u32;
    let (start, margin) = (i64::from(at), i64::from(margin));
    let (from, to) = (bounded(start - margin), bounded(start + i64::from(size) + margin));
    (from, to - from)
}
