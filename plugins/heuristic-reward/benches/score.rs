//! What a judgement costs. Run it with
//!
//! ```sh
//! cargo bench -p heuristic-reward --bench score
//! ```

use adeval_sdk::prelude::*;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use heuristic_reward::{HeuristicReward, Parameters};
use image::{Rgb, RgbImage, Rgba, RgbaImage};
use std::hint::black_box;

/// Creatives in one call.
const BATCH: u8 = 64;

/// A striped disc.
fn product() -> Product {
    let pixels = RgbaImage::from_fn(300, 400, |x, y| {
        let inside = ((x as f32 - 150.0) / 120.0).hypot((y as f32 - 200.0) / 180.0) < 1.0;
        let red = if (y / 40) % 2 == 0 { 200 } else { 120 };
        Rgba([red, 40, 60, if inside { 255 } else { 0 }])
    });
    Product::new("disc", "A striped disc", pixels.into())
}

/// The product on a gradient, 512x512.
fn creative(product: &Product, blue: u8) -> Image {
    let mut canvas = RgbImage::from_fn(512, 512, |x, y| Rgb([(x / 4) as u8, (y / 4) as u8, blue]));
    let cut = CutOut::of(product).expect("the disc can be seen");
    let placement = cut.centered((512, 512), PAPER_SHARE);
    placement.paste(&cut.resample(&placement).expect("it can be resampled"), &mut canvas);
    canvas.into()
}

fn score(c: &mut Criterion) {
    let judge =
        HeuristicReward::create(Parameters::default(), &Environment::default()).expect("its defaults hold");
    let product = product();
    let request = |blue| ScoreRequest { product: product.clone(), creative: creative(&product, blue) };
    let requests: Vec<ScoreRequest> = (0..BATCH).map(request).collect();
    let mut group = c.benchmark_group("score");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    group.bench_function("batch_of_64_at_512", |b| {
        b.iter(|| judge.score_batch(black_box(&requests), &CallContext::detached()));
    });
    group.finish();
}

criterion_group!(benches, score);
criterion_main!(benches);
