//! Image files of unknown make, decoded within limits.

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage, RgbaImage};
use std::io::Cursor;
use std::path::Path;

/// The largest side of an input image in pixels.
pub const MAX_SIDE: u32 = 8192;

/// Decodes a PNG, JPEG or WebP of any colour type to 8-bit sRGB with alpha, turned upright.
///
/// # Errors
/// One sentence that names the file and the mend.
pub fn decode_file(file: &Path) -> Result<RgbaImage, String> {
    let bytes = read(file)?;
    decode(&bytes).map(DynamicImage::into_rgba8).map_err(|reason| format!("{}: {reason}", file.display()))
}

/// The same without alpha.
///
/// # Errors
/// As [`decode_file`], for bytes that `name` names.
pub fn decode_rgb(bytes: &[u8], name: &Path) -> Result<RgbImage, String> {
    decode(bytes).map(DynamicImage::into_rgb8).map_err(|reason| format!("{}: {reason}", name.display()))
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{} does not exist; correct the path or remove the product", file.display())
        }
        _ => format!("{} cannot be read: {e}", file.display()),
    })
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    if bytes.is_empty() {
        return Err("the file is empty (0 bytes); write it again".into());
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    if reader.format().is_none() {
        return Err("this is no PNG, JPEG or WebP image; convert it".into());
    }
    if reader.format() == Some(ImageFormat::Jpeg) && is_cut_off(bytes) {
        return Err("the image is truncated or damaged (a JPEG without its end); write it again".into());
    }
    let mut decoder = reader.into_decoder().map_err(|e| explain(&e))?;
    // The header alone is read so far: a lie about the size has cost nothing yet.
    let (width, height) = decoder.dimensions();
    if width > MAX_SIDE || height > MAX_SIDE || width == 0 || height == 0 {
        return Err(format!(
            "the image says it is {width}x{height} pixels; each side must be between 1 and {MAX_SIDE}: scale it"
        ));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    // 16 bits in four channels at the largest size, and the decoder's own buffers.
    limits.max_alloc = Some(u64::from(MAX_SIDE) * u64::from(MAX_SIDE) * 12);
    decoder.set_limits(limits).map_err(|e| explain(&e))?;
    let orientation = decoder.orientation().map_err(|e| explain(&e))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| explain(&e))?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Whether a JPEG has no end marker after its first scan begins. The decoder fills what is missing with grey, without a
/// word; and a thumbnail inside the header has an end of its own.
fn is_cut_off(jpeg: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END: [u8; 2] = [0xff, 0xd9];
    let mut rest = jpeg.get(2..).unwrap_or_default();
    while let [0xff, kind, high, low, ..] = rest {
        if *kind == START_OF_SCAN {
            return memchr::memmem::find(rest, &END).is_none();
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        // A marker may be preceded by any number of fill bytes.
        let skip = if *kind == 0xff { 1 } else { 2 + length };
        rest = rest.get(skip..).unwrap_or_default();
    }
    // The decoder finds what is wrong with a header.
    false
}

fn explain(error: &ImageError) -> String {
    let text = error.to_string();
    let first: String = text.lines().next().unwrap_or_default().chars().take(160).collect();
    match error {
        ImageError::Limits(_) => format!("the image is too large to decode ({first}); scale it"),
        ImageError::Unsupported(_) => {
            format!("this kind of image is not supported ({first}); save it as 8-bit RGB")
        }
        _ => format!("the image is truncated or damaged ({first}); write it again"),
    }
}
