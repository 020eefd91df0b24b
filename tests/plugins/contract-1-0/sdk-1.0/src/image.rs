//! Pixels that cross the frontier without being copied.

use crate::{PluginError, Result, codec};
use bytes::Bytes;
use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// How the bytes of an [`Image`] are laid out: rows from the top, pixels interleaved, 8 bits a channel, sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelFormat {
    /// One channel: a mask or an alpha plane.
    Gray8,
    /// Red, green, blue.
    Rgb8,
    /// Red, green, blue, straight (not premultiplied) alpha.
    Rgba8,
}

impl PixelFormat {
    /// Bytes a pixel.
    pub const fn channels(self) -> usize {
        match self {
            Self::Gray8 => 1,
            Self::Rgb8 => 3,
            Self::Rgba8 => 4,
        }
    }
}

/// An image whose bytes are shared: cloning it, and handing it to a plugin in the same process, copies no pixel.
///
/// The bytes may live in a `Vec`, in a plugin's own allocation, or in memory shared with another process.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    format: PixelFormat,
    bytes: Bytes,
}

/// The largest side of an image that the contract admits, in pixels.
pub const MAX_SIDE: u32 = 16_384;

impl Image {
    /// An image over existing bytes (`width * height * channels` of them).
    ///
    /// # Errors
    /// `ContractViolation` when a side is 0 or above [`MAX_SIDE`], or the number of bytes does not fit the size.
    pub fn new(width: u32, height: u32, format: PixelFormat, bytes: Bytes) -> Result<Self> {
        if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
            return Err(PluginError::violation(format!(
                "an image of {width}x{height} pixels: each side must be between 1 and {MAX_SIDE}"
            )));
        }
        let wanted = width as usize * height as usize * format.channels();
        if bytes.len() != wanted {
            return Err(PluginError::violation(format!(
                "an image says it is {width}x{height} {format:?} ({wanted} bytes) but carries {} bytes",
                bytes.len()
            )));
        }
        Ok(Self { width, height, format, bytes })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The layout of [`Image::bytes`].
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// The pixels, rows from the top, without padding.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The shared bytes themselves.
    pub fn shared(&self) -> &Bytes {
        &self.bytes
    }

    /// The pixels as an `image` view, without a copy; `None` when the image has another format.
    pub fn as_rgba(&self) -> Option<ImageBuffer<Rgba<u8>, &[u8]>> {
        self.view(PixelFormat::Rgba8)
    }

    /// The pixels as an `image` view, without a copy; `None` when the image has another format.
    pub fn as_rgb(&self) -> Option<ImageBuffer<Rgb<u8>, &[u8]>> {
        self.view(PixelFormat::Rgb8)
    }

    /// The pixels as an `image` view, without a copy; `None` when the image has another format.
    pub fn as_gray(&self) -> Option<ImageBuffer<Luma<u8>, &[u8]>> {
        self.view(PixelFormat::Gray8)
    }

    fn view<P: image::Pixel<Subpixel = u8>>(&self, format: PixelFormat) -> Option<ImageBuffer<P, &[u8]>> {
        (self.format == format)
            .then(|| ImageBuffer::from_raw(self.width, self.height, self.bytes()))
            .flatten()
    }

    /// A copy as RGBA; an image without alpha becomes opaque.
    pub fn to_rgba(&self) -> RgbaImage {
        let channels = self.format.channels();
        let pixels = self.bytes.chunks_exact(channels).flat_map(|p| match self.format {
            PixelFormat::Gray8 => [p[0], p[0], p[0], 255],
            PixelFormat::Rgb8 => [p[0], p[1], p[2], 255],
            PixelFormat::Rgba8 => [p[0], p[1], p[2], p[3]],
        });
        let mut out = RgbaImage::new(self.width, self.height);
        out.iter_mut().zip(pixels).for_each(|(to, from)| *to = from);
        out
    }

    /// A copy as RGB; alpha is dropped, not blended.
    pub fn to_rgb(&self) -> RgbImage {
        let channels = self.format.channels();
        let pixels = self.bytes.chunks_exact(channels).flat_map(|p| match self.format {
            PixelFormat::Gray8 => [p[0], p[0], p[0]],
            PixelFormat::Rgb8 | PixelFormat::Rgba8 => [p[0], p[1], p[2]],
        });
        let mut out = RgbImage::new(self.width, self.height);
        out.iter_mut().zip(pixels).for_each(|(to, from)| *to = from);
        out
    }

    /// BLAKE3 over format, size and pixels: equal hashes mean equal images.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[self.format.channels() as u8]);
        hasher.update(&self.width.to_le_bytes());
        hasher.update(&self.height.to_le_bytes());
        hasher.update(&self.bytes);
        hasher.finalize().to_hex().to_string()
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({}x{} {:?})", self.width, self.height, self.format)
    }
}

impl From<RgbaImage> for Image {
    fn from(pixels: RgbaImage) -> Self {
        let (width, height) = pixels.dimensions();
        Self { width, height, format: PixelFormat::Rgba8, bytes: pixels.into_raw().into() }
    }
}

impl From<RgbImage> for Image {
    fn from(pixels: RgbImage) -> Self {
        let (width, height) = pixels.dimensions();
        Self { width, height, format: PixelFormat::Rgb8, bytes: pixels.into_raw().into() }
    }
}

impl From<GrayImage> for Image {
    fn from(pixels: GrayImage) -> Self {
        let (width, height) = pixels.dimensions();
        Self { width, height, format: PixelFormat::Gray8, bytes: pixels.into_raw().into() }
    }
}

/// What stands for an image inside an encoded message; its bytes travel beside the message.
#[derive(Serialize, Deserialize)]
struct ImageHandle {
    width: u32,
    height: u32,
    format: PixelFormat,
    attachment: u32,
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attachment = codec::attach(&self.bytes).map_err(ser::Error::custom)?;
        let &Self { width, height, format, .. } = self;
        ImageHandle { width, height, format, attachment }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let handle = ImageHandle::deserialize(deserializer)?;
        let bytes = codec::attachment(handle.attachment).map_err(de::Error::custom)?;
        Self::new(handle.width, handle.height, handle.format, bytes).map_err(de::Error::custom)
    }
}
