//! What a call across a worker costs: the transport, since the components do next to nothing. Run it with
//!
//! ```sh
//! cargo build --release -p adeval-sdk --example echo_plugin
//! cargo bench -p adeval-host --bench worker_call
//! ```

use adeval_host::plugin::{Catalogue, Discovery, DiscoveryOptions, Loader};
use adeval_sdk::client::{BackgroundClient, RewardClient};
use adeval_sdk::prelude::*;
use adeval_sdk::{Endpoint, Kind, Message};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The program, which serves as the worker.
const ADEVAL: &str = env!("CARGO_BIN_EXE_adeval");

fn catalogue() -> Catalogue {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let built = Path::new(ADEVAL).parent().expect("the program is in a folder");
    let library = built.join("examples").join(format!("{DLL_PREFIX}echo_plugin{DLL_SUFFIX}"));
    let catalogue = Discovery::new(DiscoveryOptions {
        directories: vec![library],
        standard_places: false,
        executable: Some(PathBuf::from(ADEVAL)),
        ..DiscoveryOptions::default()
    })
    .scan();
    assert!(catalogue.failures().is_empty(), "build the example first: {:?}", catalogue.failures());
    catalogue
}

fn open(catalogue: &Catalogue, kind: Kind, component: &str) -> Arc<dyn Endpoint> {
    let loader = Loader { executable: Some(PathBuf::from(ADEVAL)), ..Loader::default() };
    let entry = catalogue.find(kind, component).expect("the example has it");
    loader.open(entry, &serde_json::Value::Null, &Environment::default()).expect("it opens").endpoint()
}

fn product() -> Product {
    let pixels = image::RgbaImage::from_pixel(512, 512, image::Rgba([200, 30, 20, 255]));
    Product::new("kettle-01", "Enamel kettle, 1.7 litres, cherry red", pixels.into())
}

fn worker(c: &mut Criterion) {
    let catalogue = catalogue();
    let cx = CallContext::detached();
    let echo =
        catalogue.entries().iter().find(|e| e.component.info.id == "echo").expect("the example echoes");
    let echo = open(&catalogue, echo.component.kind, "echo");
    let judge = RewardClient::new(open(&catalogue, Kind::RewardModel, "constant"));
    let painter = BackgroundClient::new(open(&catalogue, Kind::BackgroundGenerator, "still"));

    let mut group = c.benchmark_group("worker");
    for (name, buffers) in [("echo", 0), ("echo_rgba_512", 1)] {
        let message =
            Message { body: vec![1; 64], attachments: vec![Bytes::from(vec![7; 512 * 512 * 4]); buffers] };
        let call = |m| black_box(echo.call("echo", m, &cx).expect("it echoes"));
        group.bench_function(name, |b| b.iter_batched(|| message.clone(), call, BatchSize::SmallInput));
    }
    let creative = Image::from(image::RgbImage::from_pixel(512, 512, image::Rgb([1, 2, 3])));
    let score = [ScoreRequest { product: product(), creative }];
    let paint = [BackgroundRequest::new(product(), "an oak table in morning light", 7)];
    group.bench_function("reward_score", |b| b.iter(|| judge.score(black_box(&score), &cx)));
    group.bench_function("background_generate", |b| b.iter(|| painter.generate(black_box(&paint), &cx)));
    group.finish();
}

criterion_group!(benches, worker);
criterion_main!(benches);
