//! These tests call the component as the host does: through an endpoint, with a client that checks
//! ranges and counts.

use super::*;
use adeval_sdk::{client::RewardClient, endpoint};
use std::sync::Arc;

fn client() -> RewardClient {
    let component = Judge::create(Parameters::default(), &Environment::default()).unwrap();
    RewardClient::new(Arc::from(endpoint::reward_model(component)))
}

fn product() -> Product {
    let pixels = image::RgbaImage::from_pixel(2, 2, image::Rgba([9, 9, 9, 255]));
    Product::new("mug", "Red mug", Image::from(pixels))
}

fn flat() -> Image {
    image::RgbImage::from_pixel(16, 16, image::Rgb([128; 3])).into()
}

fn colourful() -> Image {
    let stripe = |x: u32, _| {
        image::Rgb(if x.is_multiple_of(2) {
            [230, 40, 40]
        } else {
            [20, 60, 200]
        })
    };
    image::RgbImage::from_fn(16, 16, stripe).into()
}

fn preference(left: Image, right: Image) -> f64 {
    let pair = PairRequest {
        product: product(),
        left,
        right,
    };
    client()
        .compare(&[pair], &CallContext::detached())
        .unwrap()
        .remove(0)
        .unwrap()
        .left
}

#[test]
fn the_colourful_one_is_preferred_in_both_orders() {
    let (first, second) = (
        preference(colourful(), flat()),
        preference(flat(), colourful()),
    );
    assert!(first > 0.7, "{first}");
    assert!((first + second - 1.0).abs() < 1e-12);
}

#[test]
fn a_creative_ties_with_itself() {
    assert_eq!(preference(colourful(), colourful()), 0.5);
}

#[test]
fn scores_rank_as_comparisons_do() {
    let ask = |creative| ScoreRequest {
        product: product(),
        creative,
    };
    let requests = [ask(flat()), ask(colourful())];
    let scores = client().score(&requests, &CallContext::detached()).unwrap();
    let [flat, colourful] = [0, 1].map(|i: usize| scores[i].clone().unwrap());
    assert!(
        colourful.ctr > 2.0 * flat.ctr,
        "{colourful:?} over {flat:?}"
    );
    assert!(flat.parts["contrast"] < 1e-6, "{flat:?}");
}
