//! Images per second of EfficientNet-Lite0 on the CPU, by stage and by number of threads.
//!
//! `cargo run --release -p adeval-models --example efficientnet_speed -- [IMAGES]`

#![allow(clippy::print_stdout, missing_docs)]

use std::{error::Error, time::Instant};

use adeval_models::{EfficientNetLite0, efficientnet::preprocess};
use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage};

/// Multiply-adds of one image, from the shapes of the layers.
const GIGA_MACS: f64 = 0.385;

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(64), |n| n.parse())?;
    let weights =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/weights/efficientnet-lite0.safetensors");
    let start = Instant::now();
    let model = EfficientNetLite0::load_file(weights.as_ref(), &Device::Cpu)?;
    println!("load: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let picture = RgbImage::from_fn(512, 512, |x, y| Rgb([(x / 2) as u8, (y / 2) as u8, (x ^ y) as u8]));
    let pictures = vec![&picture; count];
    for threads in [1, rayon::current_num_threads()] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| measure(&model, &pictures, threads))?;
    }
    gemm_peak()
}

fn measure(model: &EfficientNetLite0, pictures: &[&RgbImage], threads: usize) -> adeval_models::Result<()> {
    let count = pictures.len() as f64;
    let start = Instant::now();
    let input = preprocess(pictures, &Device::Cpu)?;
    let scaling = start.elapsed().as_secs_f64() / count;
    model.features(&input.narrow(0, 0, 1)?)?;
    let start = Instant::now();
    model.features(&input)?;
    let network = start.elapsed().as_secs_f64() / count;
    println!(
        "{threads} thread(s): preprocess {:.2} ms, network {:.2} ms an image, {:.0} images/s, network {:.0} GFLOP/s",
        scaling * 1e3,
        network * 1e3,
        1.0 / (scaling + network),
        2.0 * GIGA_MACS / network,
    );
    Ok(())
}

/// What candle's matrix product reaches on a shape that suits it, as the yardstick.
fn gemm_peak() -> Result<(), Box<dyn Error>> {
    let side = 1024;
    let a = Tensor::rand(0f32, 1f32, (side, side), &Device::Cpu)?;
    let best = (0..8)
        .map(|_| {
            let start = Instant::now();
            a.matmul(&a).map(|_| start.elapsed().as_secs_f64())
        })
        .collect::<candle_core::Result<Vec<_>>>()?
        .into_iter()
        .fold(f64::INFINITY, f64::min);
    println!("matrix product 1024^3, all threads: {:.0} GFLOP/s", 2.0 * (side as f64).powi(3) / best / 1e9);
    Ok(())
}
