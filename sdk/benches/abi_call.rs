//! What a call of a loaded component costs. Run it with
//!
//! ```sh
//! cargo bench -p adeval-sdk --bench abi_call
//! ```
//!
//! `frontier/*` is [`Endpoint::call`] with a ready message that the component gives back: buffers out, buffers in,
//! nothing encoded. `typed/*` is the whole path of a host: encode, cross, decode, answer, cross back, decode, check;
//! `codec/*` is its share that both sides spend on MessagePack.

#[path = "../tests/common/mod.rs"]
mod common;

use adeval_sdk::client::{BackgroundClient, RewardClient};
use adeval_sdk::prelude::*;
use adeval_sdk::{Endpoint, Message, abi, decode, encode};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;

fn open(component: &str) -> Arc<dyn Endpoint> {
    let library = abi::load(&common::example("echo_plugin")).expect("the example is a plugin");
    let nothing = serde_json::Value::Null;
    library.create(component, &nothing, &Environment::default()).expect("the component is there").into()
}

fn product() -> Product {
    let pixels = image::RgbaImage::from_pixel(512, 512, image::Rgba([200, 30, 20, 255]));
    Product {
        category: vec!["Kitchen".into(), "Kettles".into()],
        price: Some(39.9),
        currency: Some("EUR".into()),
        ..Product::new("kettle-01", "Enamel kettle, 1.7 litres, cherry red", pixels.into())
    }
}

fn frontier(c: &mut Criterion) {
    let echo = open("echo");
    let mut group = c.benchmark_group("frontier");
    for (name, buffers) in [("no_buffer", 0), ("rgba_512", 1), ("rgba_512_x8", 8)] {
        let buffer = || Bytes::from(vec![7; 512 * 512 * 4]);
        let message = Message { body: vec![1; 64], attachments: (0..buffers).map(|_| buffer()).collect() };
        let call = |m| black_box(echo.call("echo", m, &CallContext::detached()).expect("it echoes"));
        group.bench_function(name, |b| b.iter_batched(|| message.clone(), call, BatchSize::SmallInput));
    }
    group.finish();
}

fn typed(c: &mut Criterion) {
    let (judge, painter) = (RewardClient::new(open("constant")), BackgroundClient::new(open("still")));
    let cx = CallContext::detached();
    let creative = Image::from(image::RgbImage::from_pixel(512, 512, image::Rgb([1, 2, 3])));
    let score = [ScoreRequest { product: product(), creative }];
    let paint = [BackgroundRequest::new(product(), "an oak table in morning light", 7)];
    let mut group = c.benchmark_group("typed");
    group.bench_function("reward_score", |b| b.iter(|| judge.score(black_box(&score), &cx)));
    group.bench_function("background_generate", |b| b.iter(|| painter.generate(black_box(&paint), &cx)));
    group.finish();

    let mut group = c.benchmark_group("codec");
    group.bench_function("encode_score_request", |b| b.iter(|| encode(black_box(&score))));
    let message = encode(&score).expect("a request can be encoded");
    let read = |m| decode::<Vec<ScoreRequest>>(m);
    group.bench_function("decode_score_request", |b| {
        b.iter_batched(|| message.clone(), read, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, frontier, typed);
criterion_main!(benches);
