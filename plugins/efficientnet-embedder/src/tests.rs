//! The component through the traits, as the host's shim calls it.

use std::sync::atomic::{AtomicUsize, Ordering};

use adeval_sdk::prelude::*;
use image::{Rgb, RgbImage, RgbaImage};

use super::*;

fn embedder() -> EfficientNetEmbedder {
    EfficientNetEmbedder::create(Parameters::default(), &Environment::default()).unwrap()
}

fn picture(seed: u8) -> RgbImage {
    RgbImage::from_fn(300, 260, |x, y| Rgb([(x as u8).wrapping_mul(seed), y as u8, seed]))
}

fn request(seed: u8) -> EmbedRequest {
    EmbedRequest { image: picture(seed).into(), spatial: false }
}

#[test]
fn a_batch_gives_what_single_images_give_in_order() {
    let (embedder, cx) = (embedder(), CallContext::detached());
    let requests: Vec<_> = (1..=GROUP as u8 + 3).map(request).collect();
    let batch = embedder.embed_batch(&requests, &cx);
    assert_eq!(batch.len(), requests.len());
    for at in [0, GROUP - 1, GROUP, GROUP + 2] {
        let alone = embedder.embed(&requests[at], &cx).unwrap();
        assert_eq!(alone.vector.len(), 1280);
        assert!(alone.vector.iter().all(|v| (0.0..=6.0).contains(v)));
        assert_eq!(batch[at].as_ref().unwrap(), &alone);
    }
    assert_ne!(batch[0].as_ref().unwrap().vector, batch[1].as_ref().unwrap().vector);
}

#[test]
fn alpha_is_ignored() {
    let (embedder, cx) = (embedder(), CallContext::detached());
    let opaque = picture(9);
    let clear = RgbaImage::from_fn(300, 260, |x, y| {
        let Rgb([r, g, b]) = *opaque.get_pixel(x, y);
        image::Rgba([r, g, b, 0])
    });
    let clear = EmbedRequest { image: clear.into(), spatial: false };
    assert_eq!(embedder.embed(&clear, &cx).unwrap(), embedder.embed(&request(9), &cx).unwrap());
}

#[test]
fn a_spatial_request_is_refused_and_its_neighbours_are_served() {
    let (embedder, cx) = (embedder(), CallContext::detached());
    let mut requests = vec![request(1), request(2), request(3)];
    requests[1].spatial = true;
    let answers = embedder.embed_batch(&requests, &cx);
    assert_eq!(answers[1].as_ref().unwrap_err().kind, ErrorKind::Unsupported);
    assert_eq!(answers[2].as_ref().unwrap(), &embedder.embed(&requests[2], &cx).unwrap());
}

#[test]
fn stops_between_groups_when_asked_to() {
    struct StopsAtSecondCheck(AtomicUsize);
    impl adeval_sdk::CallHost for StopsAtSecondCheck {
        fn cancelled(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) >= 1
        }
        fn progress(&self, _: f32, _: &str) {}
    }
    let host = StopsAtSecondCheck(AtomicUsize::new(0));
    let requests = vec![request(4); GROUP + 2];
    let answers = embedder().embed_batch(&requests, &CallContext::new(&host));
    assert!(answers[..GROUP].iter().all(Result::is_ok));
    assert!(answers[GROUP..].iter().all(|a| a.as_ref().unwrap_err().kind == ErrorKind::Cancelled));
}

#[test]
fn says_what_is_wrong_with_weights_and_devices() {
    let with = |path: &str| Parameters { weights: Some(path.into()) };
    let error = |p, device: &str| {
        let environment = Environment { device: device.into(), weights: None };
        EfficientNetEmbedder::create(p, &environment).err().unwrap()
    };
    let missing = error(with("no/such.safetensors"), "cpu");
    assert_eq!(missing.kind, ErrorKind::MissingWeights);
    assert!(missing.message.contains("no/such.safetensors"), "{missing}");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let bad = error(with(manifest), "cpu");
    assert_eq!(bad.kind, ErrorKind::BadWeights);
    assert!(bad.message.contains("Cargo.toml"), "{bad}");
    assert_eq!(error(Parameters::default(), "abacus:0").kind, ErrorKind::DeviceUnavailable);
}

#[test]
fn own_weights_are_named() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/weights/efficientnet-lite0.safetensors");
    let environment = Environment { weights: Some(path.into()), ..Environment::default() };
    let own = EfficientNetEmbedder::create(Parameters::default(), &environment).unwrap();
    assert_eq!(own.describe().name, "EfficientNet-Lite0(efficientnet-lite0)");
    let info = embedder().describe();
    assert_eq!((info.name.as_str(), info.dimension), ("EfficientNet-Lite0", 1280));
    assert!(info.preprocessing.starts_with("EfficientNet-Lite0, ImageNet-1k, pooled 1280-d;"));
    let cx = CallContext::detached();
    assert_eq!(own.embed(&request(5), &cx).unwrap(), embedder().embed(&request(5), &cx).unwrap());
}
