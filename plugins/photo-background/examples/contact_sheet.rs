//! Draws 40 products with 40 prompts into one picture:
//! `cargo run --release -p photo-background --example contact_sheet -- fixtures/products OUT.png [SEED]`

use adeval_sdk::{BackgroundGenerator, BackgroundRequest, CallContext, Component, Environment, Product};
use image::{RgbImage, imageops};
use photo_background::{Parameters, PhotoBackground};
use std::path::Path;

type Failure = Box<dyn std::error::Error>;

const SIDE: u32 = 384;
const COLUMNS: u32 = 8;

const PROMPTS: [&str; 40] = [
    "on a marble counter in an elegant boutique, soft warm light",
    "on a wooden table in a sunny meadow with mountains",
    "in a forest clearing on mossy ground, fresh morning",
    "on a clean white studio backdrop, minimal, bright",
    "on a rustic dark wood table in a cozy wine bar, warm evening",
    "in a modern apartment by the window, natural daylight",
    "on a beach by the sea, summer holiday, blue sky",
    "on a stainless steel kitchen counter, professional",
    "in a city street with skyscrapers, urban style",
    "on a pastel pink marble vanity, romantic beauty shot",
    "on green grass in a park, summer picnic",
    "in an industrial loft warehouse on concrete floor",
    "before a white brick wall on a light oak table",
    "at sunset on a hill, golden hour, dramatic",
    "in a neon gradient, futuristic gaming, vivid",
    "in an alpine meadow with snowy mountain peaks",
    "on felt cloth with paint brushes, creative and colorful",
    "in a workshop on a workbench, tools around",
    "on a pier in Venice, travel, evening",
    "on terracotta clay in the garden, warm autumn",
    "under the starry night sky, camping",
    "in a ballroom for a birthday celebration, festive",
    "on a stone slab next to a forest waterfall, spa",
    "on dark metal, black studio, luxury and dramatic spotlight",
    "among dandelion flowers in spring, soft sunlight",
    "on leather in front of a dark wood wall, premium vintage",
    "on parquet in a bright living room, scandinavian",
    "a green wooden bench, Christmas, red and festive",
    "on linen fabric, soft calm pastel tones",
    "in a shopping mall, retail lights, glamorous",
    "in a desert canyon at dawn, purple sky",
    "on blue painted wood, coastal, before white cladding",
    "in an office lobby, modern business",
    "in the sunrise mist on a country field",
    "on sand under a blue cloudy sky",
    "a product photograph",
    "on ice and snow, cold winter",
    "in a laboratory, retro green",
    "on a glass bridge, architecture, cool tech",
    "on travertine in front of a clay wall, mediterranean",
];

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let usage = "give the products' folder, the PNG to write, and, if you like, a seed";
    let (folder, out) = (args.next().ok_or(usage)?, args.next().ok_or(usage)?);
    let seed: u64 = args.next().map_or(Ok(0), |s| s.parse())?;
    let products = products(Path::new(&folder))?;
    let generator = PhotoBackground::create(Parameters::default(), &Environment::default())?;
    // A stride prime to the number of products shows all categories.
    let requests: Vec<BackgroundRequest> = (0..PROMPTS.len())
        .map(|i| {
            let product = products[(i * 37 + seed as usize * 11) % products.len()].clone();
            BackgroundRequest::new(product, PROMPTS[i], seed * 1000 + i as u64)
        })
        .collect();
    for round in ["first", "second"] {
        let start = std::time::Instant::now();
        generator.generate_batch(&requests, &CallContext::detached());
        eprintln!(
            "{round} round: {:.1} images/s of 512x512",
            requests.len() as f64 / start.elapsed().as_secs_f64()
        );
    }
    let rows = (PROMPTS.len() as u32).div_ceil(COLUMNS);
    let mut sheet = RgbImage::new(COLUMNS * SIDE, rows * SIDE);
    for (i, creative) in generator.generate_batch(&requests, &CallContext::detached()).into_iter().enumerate()
    {
        let small = imageops::resize(&creative?.image.to_rgb(), SIDE, SIDE, imageops::FilterType::CatmullRom);
        let (x, y) = (i as u32 % COLUMNS * SIDE, i as u32 / COLUMNS * SIDE);
        imageops::replace(&mut sheet, &small, i64::from(x), i64::from(y));
    }
    sheet.save(&out)?;
    Ok(())
}

fn products(folder: &Path) -> Result<Vec<Product>, Failure> {
    let list: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(folder.join("products.json"))?)?;
    let load = |row: &serde_json::Value| -> Result<Product, Failure> {
        let text = |field: &str| row[field].as_str().ok_or_else(|| format!("a product without {field}"));
        let pixels = image::open(folder.join(text("image")?))?.to_rgba8();
        let mut product = Product::new(text("id")?, text("title")?, pixels.into());
        product.category = serde_json::from_value(row["category"].clone())?;
        Ok(product)
    };
    list.iter().map(load).collect()
}
