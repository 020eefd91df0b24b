//! Image files, good and bad.

use image::{DynamicImage, GrayAlphaImage, ImageBuffer, ImageFormat, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use std::io::Cursor;

/// A product with alpha, as a PNG of 48x48 pixels: a disc, whose colour depends on `kind`.
pub fn cut_out(kind: usize) -> Vec<u8> {
    png(&DynamicImage::ImageRgba8(disc(kind)))
}

fn disc(kind: usize) -> RgbaImage {
    let colours =
        [[200, 60, 40], [40, 120, 200], [60, 160, 80], [180, 150, 40], [120, 60, 160], [70, 70, 70]];
    let [r, g, b] = colours[kind % colours.len()];
    let radius = 14 + (kind % 3) as i64 * 3;
    RgbaImage::from_fn(48, 48, |x, y| {
        let (dx, dy) = (i64::from(x) - 24, i64::from(y) - 24);
        Rgba([r, g.saturating_add(2 * y as u8), b, if dx * dx + dy * dy < radius * radius { 255 } else { 0 }])
    })
}

/// An opaque photograph: a bright disc on a dark ground.
pub fn photograph() -> RgbImage {
    RgbImage::from_fn(96, 96, |x, y| {
        let (dx, dy) = (i64::from(x) - 48, i64::from(y) - 48);
        if dx * dx + dy * dy < 900 { Rgb([230, 120, 60]) } else { Rgb([30, 34, 40]) }
    })
}

/// Any image as a PNG.
///
/// # Panics
/// When it cannot be encoded.
pub fn png(image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).expect("an image can be encoded");
    bytes.into_inner()
}

/// The disc with 16 bits a channel.
pub fn deep() -> Vec<u8> {
    let deep = DynamicImage::ImageRgba8(disc(0)).into_rgba16();
    png(&DynamicImage::ImageRgba16(deep))
}

/// A grey disc with alpha.
pub fn grey_alpha() -> Vec<u8> {
    let grey: GrayAlphaImage =
        ImageBuffer::from_fn(48, 48, |x, y| LumaA([120, if x + y < 48 { 255 } else { 0 }]));
    png(&DynamicImage::ImageLumaA8(grey))
}

/// A PNG with a palette of three colours, of which the first is transparent: a square of 16 in 48 pixels.
pub fn palette() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut bytes, *b"IHDR", &[0, 0, 0, 48, 0, 0, 0, 48, 8, 3, 0, 0, 0]);
    chunk(&mut bytes, *b"PLTE", &[0, 0, 0, 220, 40, 40, 40, 40, 220]);
    chunk(&mut bytes, *b"tRNS", &[0, 255, 255]);
    let row = |y: u8| {
        let index = move |x: u8| match (16..32).contains(&x) && (16..32).contains(&y) {
            false => 0,
            true => 1 + (x + y) % 2,
        };
        std::iter::once(0).chain((0..48).map(index)).collect::<Vec<u8>>()
    };
    chunk(&mut bytes, *b"IDAT", &stored((0..48).flat_map(row).collect()));
    chunk(&mut bytes, *b"IEND", &[]);
    bytes
}

/// The header of a PNG that says it is 30000x30000 pixels, and a few bytes of nothing.
pub fn huge_header() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = 30_000_u32.to_be_bytes().repeat(2);
    header.extend([8, 6, 0, 0, 0]);
    chunk(&mut bytes, *b"IHDR", &header);
    chunk(&mut bytes, *b"IDAT", &stored(vec![0; 64]));
    chunk(&mut bytes, *b"IEND", &[]);
    bytes
}

/// Appends a chunk with its checksum.
fn chunk(png: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    png.extend(length.to_be_bytes());
    let start = png.len();
    png.extend(kind);
    png.extend(data);
    let sum = crc(&png[start..]);
    png.extend(sum.to_be_bytes());
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// A zlib stream of one stored block, of less than 65536 bytes.
fn stored(data: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend(length.to_le_bytes());
    stream.extend((!length).to_le_bytes());
    let add = |(a, b): (u32, u32), byte: &u8| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    };
    let (a, b) = data.iter().fold((1, 0), add);
    stream.extend(&data);
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}
