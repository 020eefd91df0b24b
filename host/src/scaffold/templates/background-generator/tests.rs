//! These tests call the component as the host does: through an endpoint, with a client that checks
//! sizes and counts.

use super::*;
use adeval_sdk::{client::BackgroundClient, endpoint};
use std::sync::Arc;

fn client() -> BackgroundClient {
    let component = Background::create(Parameters::default(), &Environment::default()).unwrap();
    BackgroundClient::new(Arc::from(endpoint::background_generator(component)))
}

fn request(prompt: &str, seed: u64) -> BackgroundRequest {
    let pixels = image::RgbaImage::from_pixel(20, 40, image::Rgba([200, 30, 30, 255]));
    let product = Product::new("mug", "Red mug", Image::from(pixels));
    BackgroundRequest {
        width: 96,
        height: 64,
        ..BackgroundRequest::new(product, prompt, seed)
    }
}

fn generate(requests: &[BackgroundRequest]) -> Vec<Creative> {
    let results = client()
        .generate(requests, &CallContext::detached())
        .unwrap();
    results.into_iter().map(|result| result.unwrap()).collect()
}

#[test]
fn the_seed_alone_decides() {
    let [a, b, other] = [7, 7, 8].map(|seed| request("a quiet studio", seed));
    let creatives = generate(&[a, b, other.clone()]);
    assert_eq!(creatives[0].image.hash(), creatives[1].image.hash());
    assert_ne!(creatives[0].image.hash(), creatives[2].image.hash());
    // Neighbours in a batch change nothing.
    assert_eq!(
        generate(&[other])[0].image.hash(),
        creatives[2].image.hash()
    );
}

#[test]
fn a_named_colour_is_seen() {
    let creatives = generate(&[request("a blue wall", 1), request("a red wall", 1)]);
    let corner = |creative: &Creative| creative.image.to_rgb().get_pixel(0, 0).0;
    let ([_, _, blue], [red, _, _]) = (corner(&creatives[0]), corner(&creatives[1]));
    assert!(blue > corner(&creatives[0])[0] && red > corner(&creatives[1])[2]);
}

#[test]
fn the_product_keeps_its_pixels() {
    let creative = &generate(&[request("", 3)])[0];
    let (p, image) = (creative.placement, creative.image.to_rgb());
    let middle = image.get_pixel(p.left as u32 + p.width / 2, p.top as u32 + p.height / 2);
    assert_eq!(middle.0, [200, 30, 30]);
}

#[test]
fn an_invisible_product_is_named() {
    let mut request = request("", 3);
    request.product.image = image::RgbaImage::new(4, 4).into();
    let result = client()
        .generate(&[request], &CallContext::detached())
        .unwrap()
        .remove(0);
    assert!(result.unwrap_err().message.contains("\"mug\""));
}
