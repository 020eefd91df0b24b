//! Resampling: by area, linear, nearest.

mod area;
mod linear;

use image::Pixel;

use super::{Picture, dimensions};

/// Which of OpenCV's rules resamples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// `cv2.INTER_NEAREST`: the pixel at `floor(x * scale)`.
    Nearest,
    /// `cv2.INTER_LINEAR`: between the two nearest pixel centres in 11-bit fixed point; halving both sides exactly is by area.
    Linear,
    /// `cv2.INTER_AREA`: the mean of the area that a pixel covers. That is defined where neither side grows; otherwise
    /// OpenCV repeats pixels and blends them linearly where two meet, in both directions.
    Area,
}

/// A picture without pixels was to be resampled, or was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot resample {}x{} pixels to {}x{}; both need a width and a height of at least 1", from.0, from.1, to.0, to.1)]
pub struct EmptyPicture {
    /// Width and height of the source.
    pub from: (u32, u32),
    /// Width and height asked for.
    pub to: (u32, u32),
}

/// A picture at `width` x `height` pixels, equal to `cv2.resize(picture, (width, height), interpolation=...)`.
///
/// # Errors
/// [`EmptyPicture`] if any side is 0.
pub fn resize<P: Pixel<Subpixel = u8>>(
    picture: &Picture<P>,
    width: u32,
    height: u32,
    interpolation: Interpolation,
) -> Result<Picture<P>, EmptyPicture> {
    let (from, to) = (picture.dimensions(), (width, height));
    if [from.0, from.1, to.0, to.1].contains(&0) {
        return Err(EmptyPicture { from, to });
    }
    if from == to {
        return Ok(picture.clone());
    }
    let mut result = Picture::new(width, height);
    let (source_width, source_height, channels) = dimensions(picture);
    let axes = [Axis::new(source_width, width as usize), Axis::new(source_height, height as usize)];
    let source = Source { pixels: picture.as_raw(), stride: source_width * channels, channels };
    let halves = axes.iter().all(|axis| axis.whole() == Some(2));
    match interpolation {
        Interpolation::Nearest => nearest(source, axes, &mut result),
        Interpolation::Linear if !halves => {
            linear::resample(source, axes.map(|a| linear::by_centres(&a)), &mut result)
        }
        _ if axes.iter().all(|axis| axis.scale >= 1.0) => area::resample(source, axes, &mut result),
        _ => linear::resample(source, axes.map(|a| linear::by_edges(&a)), &mut result),
    }
    Ok(result)
}

/// The pixels to resample, rows from the top.
#[derive(Clone, Copy)]
struct Source<'a> {
    pixels: &'a [u8],
    /// Bytes of a row.
    stride: usize,
    channels: usize,
}

impl<'a> Source<'a> {
    fn row(&self, y: usize) -> &'a [u8] {
        &self.pixels[y * self.stride..(y + 1) * self.stride]
    }
}

/// One direction: lengths in pixels, and their ratio.
#[derive(Clone, Copy)]
struct Axis {
    from: usize,
    to: usize,
    /// `to / from`.
    growth: f64,
    /// Source pixels for each result pixel: the reciprocal of `growth` and not `from / to`, which rounds otherwise.
    scale: f64,
}

impl Axis {
    fn new(from: usize, to: usize) -> Self {
        let growth = to as f64 / from as f64;
        Self { from, to, growth, scale: 1.0 / growth }
    }

    /// The scale where it is a whole number to the last digit.
    fn whole(&self) -> Option<usize> {
        let whole = self.scale.round_ties_even();
        ((self.scale - whole).abs() < f64::EPSILON).then_some(whole as usize)
    }
}

fn nearest(source: Source<'_>, [across, down]: [Axis; 2], result: &mut [u8]) {
    let channels = source.channels;
    let position = |axis: &Axis, at: usize| ((at as f64 * axis.scale).floor() as usize).min(axis.from - 1);
    let columns: Vec<usize> = (0..across.to).map(|x| position(&across, x) * channels).collect();
    for (y, out) in result.chunks_exact_mut(across.to * channels).enumerate() {
        let row = source.row(position(&down, y));
        for (pixel, column) in out.chunks_exact_mut(channels).zip(&columns) {
            pixel.copy_from_slice(&row[*column..column + channels]);
        }
    }
}

/// To the nearest whole number, halves to the even one, as the processor rounds.
fn rounded(value: f32) -> u8 {
    value.round_ties_even() as u8
}
