//! Synthetic products and creatives for the rules: small, seeded, and of no one's making.

use adeval_sdk::{Image, Product, rng};
use image::{Rgb, RgbImage, Rgba, RgbaImage};
use rand::RngExt;

/// Side of the products' cut-outs in pixels.
const SIDE: u32 = 96;

/// The `number`th product: a disc, a box or a bottle in a colour of its own, with a shop's title.
pub fn product(number: usize) -> Product {
    let names = ["steel water bottle", "leather handbag", "running shoes", "desk lamp", "ceramic vase"];
    let categories = [
        ["Kitchen", "Bottles"],
        ["Bags", "Handbags"],
        ["Shoes", "Running"],
        ["Home", "Lamps"],
        ["Home", "Vases"],
    ];
    let at = number % names.len();
    let mut product = Product::new(
        format!("synthetic-{number}"),
        format!("Synthetic {}, model {number}", names[at]),
        cut_out(number).into(),
    );
    product.category = categories[at].map(str::to_owned).to_vec();
    product.price = Some(10.0 + number as f64);
    product.currency = Some("EUR".into());
    product.good_comments = Some(100 * number as u64);
    product.attributes.insert("colour".into(), ["blue", "red", "white", "black", "green"][at].into());
    product
}

fn cut_out(number: usize) -> RgbaImage {
    let mut random = rng::seeded(number as u64);
    let colour: [u8; 3] = std::array::from_fn(|_| random.random_range(30..=225));
    let center = f64::from(SIDE) / 2.0;
    RgbaImage::from_fn(SIDE, SIDE, |x, y| {
        let (dx, dy) = (f64::from(x) + 0.5 - center, f64::from(y) + 0.5 - center);
        let inside = match number % 3 {
            0 => dx.hypot(dy) < 40.0,
            1 => dx.abs() < 42.0 && dy.abs() < 30.0,
            _ => dx.abs() < if dy < -15.0 { 10.0 } else { 24.0 } && dy.abs() < 42.0,
        };
        // Light from the upper left, so that there is something to see.
        let light = 1.0 - (dx + dy) / 240.0;
        let shade = colour.map(|c| (f64::from(c) * light).clamp(0.0, 255.0) as u8);
        Rgba([shade[0], shade[1], shade[2], if inside { 255 } else { 0 }])
    })
}

/// A product whose cut-out has this size and this alpha.
pub fn product_with_alpha(size: (u32, u32), alpha: impl Fn(u32, u32) -> u8) -> Product {
    let pixels = RgbaImage::from_fn(size.0, size.1, |x, y| {
        Rgba([(x * 7 % 256) as u8, (y * 5 % 256) as u8, 120, alpha(x, y)])
    });
    Product { image: Image::from(pixels), ..product(1) }
}

/// A picture that looks a little like a creative: a gradient, a horizon and a block, by seed.
pub fn creative(seed: u64, size: (u32, u32)) -> Image {
    let mut random = rng::seeded(seed);
    let mut colour = || -> [f64; 3] { std::array::from_fn(|_| f64::from(random.random::<u8>())) };
    let (top, bottom, block) = (colour(), colour(), colour());
    let horizon = 0.4 + 0.3 * random.random::<f64>();
    let (width, height) = (f64::from(size.0), f64::from(size.1));
    RgbImage::from_fn(size.0, size.1, |x, y| {
        let (u, v) = ((f64::from(x) + 0.5) / width, (f64::from(y) + 0.5) / height);
        let base = if v < horizon { top } else { bottom };
        let in_block = (u - 0.5).abs() < 0.25 && (v - 0.55).abs() < 0.25;
        let colour = if in_block { block } else { base };
        Rgb(colour.map(|c| (c * (0.8 + 0.2 * u)).clamp(0.0, 255.0) as u8))
    })
    .into()
}

/// A prompt, by seed.
pub fn prompt(seed: u64) -> String {
    let surfaces = ["a marble table", "a wooden shelf", "wet sand", "a concrete floor", "linen"];
    let lights = ["soft morning light", "warm evening light", "a bright studio light", "cool daylight"];
    let mut random = rng::seeded(seed);
    let mut pick = |words: &[&str]| words[random.random_range(0..words.len())].to_owned();
    format!("The product on {}, {}, blurred background", pick(&surfaces), pick(&lights))
}
