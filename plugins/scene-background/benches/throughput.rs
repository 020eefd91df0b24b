//! Creatives of 512x512 a second, over a spread of scenes; prints one line a round.
//!
//! ```sh
//! cargo bench -p scene-background --bench throughput
//! ```
#![allow(clippy::print_stdout)]

use adeval_sdk::prelude::*;
use image::{Rgba, RgbaImage};
use scene_background::{Parameters, SceneBackground};
use std::time::Instant;

const PROMPTS: [&str; 12] = [
    "white marble, sage green plaster wall, window light",
    "peach sweep, podium and spheres",
    "oak table in a cozy kitchen, houseplant",
    "beach at golden hour, pebbles",
    "terrazzo, arched niche, pastel",
    "mossy forest, foliage",
    "christmas evening, bokeh, gifts",
    "winter mountains, snow",
    "neon city, glossy acrylic",
    "linen, palm shadow, plant",
    "autumn leaves, wood",
    "pool water, sky",
];

fn main() -> Result<()> {
    let generator = SceneBackground::create(Parameters::default(), &Environment::default())?;
    let product = RgbaImage::from_fn(300, 500, |x, y| {
        let half = if y < 110 { 50.0 } else { 140.0f32 };
        Rgba([150, 60, 70, ((half - (x as f32 - 150.0).abs()).clamp(0.0, 1.0) * 255.0) as u8])
    });
    let product = Product::new("bottle", "Bottle", product.into());
    let requests: Vec<_> = (0..48)
        .map(|i| BackgroundRequest::new(product.clone(), PROMPTS[i % PROMPTS.len()], i as u64))
        .collect();
    for round in 0..4 {
        let start = Instant::now();
        for creative in generator.generate_batch(&requests, &CallContext::detached()) {
            creative?;
        }
        let seconds = start.elapsed().as_secs_f64();
        let threads = rayon::current_num_threads();
        println!("round {round}: {:.1} creatives of 512x512 a second on {threads} threads", 48.0 / seconds);
    }
    let alone = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|e| PluginError::unsupported(e.to_string()))?;
    for request in &requests[..PROMPTS.len()] {
        let start = Instant::now();
        alone.install(|| generator.generate(request, &CallContext::detached()))?;
        println!("{:6.1} ms on 1 thread: {}", start.elapsed().as_secs_f64() * 1e3, request.prompt);
    }
    Ok(())
}
