//! These tests call the component as the host does: through an endpoint, with a client that checks
//! counts and values.

use super::*;
use adeval_sdk::{client::EmbedderClient, endpoint};
use image::{Rgb, RgbImage};
use std::sync::Arc;

fn client(grid: u32) -> EmbedderClient {
    let component = Embedder::create(Parameters { grid }, &Environment::default()).unwrap();
    EmbedderClient::new(Arc::from(endpoint::image_embedder(component)))
}

fn embed(grid: u32, images: Vec<RgbImage>) -> Vec<Vec<f32>> {
    let ask = |image: RgbImage| EmbedRequest {
        image: image.into(),
        spatial: false,
    };
    let requests: Vec<_> = images.into_iter().map(ask).collect();
    let results = client(grid)
        .embed(&requests, &CallContext::detached())
        .unwrap();
    results
        .into_iter()
        .map(|result| result.unwrap().vector)
        .collect()
}

#[test]
fn moments_are_those_of_the_pixels() {
    // Half black, half white in red: mean 0.5, deviation 0.5, no skew. Green is 0.2 everywhere.
    let halves = RgbImage::from_fn(8, 4, |x, _| Rgb([if x < 4 { 0 } else { 255 }, 51, 0]));
    let vector = embed(1, vec![halves]).remove(0);
    let expected = [0.5, 0.5, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0];
    for (value, wanted) in vector.iter().zip(expected) {
        assert!((value - wanted).abs() < 1e-6, "{vector:?}");
    }
}

#[test]
fn every_size_gives_the_dimension_that_describe_says() {
    for grid in [1, 3, 8] {
        let dimension = client(grid)
            .describe(&CallContext::detached())
            .unwrap()
            .dimension;
        let images = [(1, 1), (2, 9), (50, 3)].map(|(w, h)| RgbImage::new(w, h));
        for vector in embed(grid, images.to_vec()) {
            assert_eq!(vector.len(), dimension as usize);
        }
    }
}

#[test]
fn a_batch_is_its_images_one_by_one() {
    let image =
        |red| RgbImage::from_fn(9, 9, move |x, y| Rgb([red, (x * 20) as u8, (y * 9) as u8]));
    let batch = embed(2, vec![image(10), image(200)]);
    assert_eq!(batch[1], embed(2, vec![image(200)])[0]);
    assert_ne!(batch[0], batch[1]);
}

#[test]
fn spatial_features_are_refused_by_name() {
    let request = EmbedRequest {
        image: RgbImage::new(2, 2).into(),
        spatial: true,
    };
    let error = client(1)
        .embed(&[request], &CallContext::detached())
        .unwrap()
        .remove(0)
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
}
