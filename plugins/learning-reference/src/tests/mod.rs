mod calls;
mod policy;
mod reward;
mod training;

use adeval_sdk::prelude::*;
use image::{Rgba, RgbaImage};

fn cx() -> CallContext<'static> {
    CallContext::detached()
}

/// The options of a batch that is a whole step.
fn whole() -> GradientOptions {
    GradientOptions::default()
}

fn environment() -> Environment {
    Environment::default()
}

fn product(title: &str, category: &str, colour: [u8; 3]) -> Product {
    let [r, g, b] = colour;
    let mut product = Product::new(title, title, RgbaImage::from_pixel(16, 16, Rgba([r, g, b, 255])).into());
    product.category = vec![category.into()];
    product
}

/// A number in (-1, 1) that depends on the index only.
fn number(index: u64) -> f64 {
    (rng::derive(9, &[&index.to_string()]) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}
