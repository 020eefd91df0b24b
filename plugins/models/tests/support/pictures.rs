//! Pictures that Python's golden scripts compute by the same formulas (`goldens_sd_opencv.py`), and their checksums.

use adeval_models::opencv::Picture;
use image::{Pixel, RgbaImage};

/// A product of `fixtures/products/images`.
pub fn product(name: &str) -> RgbaImage {
    let path = super::goldens().join("../products/images").join(name);
    image::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).to_rgba8()
}

/// `picture()` of the script.
pub fn drawn<P: Pixel<Subpixel = u8>>(kind: &str, seed: u32, (width, height): (u32, u32)) -> Picture<P> {
    let channels = u32::from(P::CHANNEL_COUNT);
    let mut result = Picture::<P>::new(width, height);
    for (at, value) in result.iter_mut().enumerate() {
        let (at, c) = (at as u32 / channels, at as u32 % channels);
        *value = formula(kind, seed, [at % width, at / width, c], [width, height, channels]);
    }
    result
}

fn formula(kind: &str, seed: u32, [x, y, c]: [u32; 3], [width, height, channels]: [u32; 3]) -> u8 {
    let noise = |n: u32| scattered(seed ^ scattered(n));
    let pixel = (y * width + x) * channels + c;
    let value = match kind {
        "noise" => noise(pixel) >> 24,
        "points" if noise(pixel).is_multiple_of(16) => noise(pixel) >> 24,
        "points" => 0,
        "blocks" => (noise((y / 5 * 997 + x / 7) * channels + c) >> 24) & 0xC0,
        "waves" => folded(x * (1 + seed % 7) + y * (1 + seed / 7 % 5) + c * 37),
        "steps" => folded(x * (1 + seed % 23) + y * (1 + seed / 7 % 19) + c * 37) & 0xE0,
        "rings" => {
            let radius = x.abs_diff(width / 2).pow(2) + y.abs_diff(height / 2).pow(2);
            folded(radius * (1 + seed % 5) / 8 + c * 50)
        }
        other => panic!("no picture is called {other}"),
    };
    value as u8
}

/// A well-mixed permutation of the 32-bit numbers.
fn scattered(n: u32) -> u32 {
    let n = (n ^ (n >> 16)).wrapping_mul(0x7FEB_352D);
    let n = (n ^ (n >> 15)).wrapping_mul(0x846C_A68B);
    n ^ (n >> 16)
}

/// A saw of rising and falling flanks, 0 to 255.
fn folded(n: u32) -> u32 {
    let n = n % 510;
    n.min(510 - n)
}

/// CRC-32 as zlib computes it.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}
