//! `lpips` with random weights: its maps mean nothing, all else is as with published ones.

#[path = "../../models/tests/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use adeval_sdk::prelude::*;
use candle_core::Tensor;
use support::recipe;
use tempfile::TempDir;
use vision_embedder::{Backbone, LpipsEmbedder, LpipsParameters};

const CONVS: [(usize, [usize; 4]); 5] = [
    (0, [64, 3, 11, 11]),
    (3, [192, 64, 5, 5]),
    (6, [384, 192, 3, 3]),
    (8, [256, 384, 3, 3]),
    (10, [256, 256, 3, 3]),
];

fn save(path: &Path, tensors: HashMap<String, Tensor>) -> PathBuf {
    candle_core::safetensors::save(&tensors, path).expect("a file");
    path.to_owned()
}

/// AlexNet's features and the heads, as files.
fn files(sign: f64) -> (TempDir, LpipsParameters) {
    let room = tempfile::tempdir().expect("a room");
    let mut backbone = HashMap::new();
    let mut heads = HashMap::new();
    for (at, (number, shape)) in CONVS.into_iter().enumerate() {
        for (part, shape) in [("weight", &shape[..]), ("bias", &shape[..1])] {
            let name = format!("features.{number}.{part}");
            backbone.insert(name.clone(), recipe::weight(&name, shape));
        }
        let name = format!("lin{at}.model.1.weight");
        let head = recipe::weight(&name, &[1, shape[0], 1, 1]).abs().and_then(|head| head * sign);
        heads.insert(name, head.expect("a head"));
    }
    let weights = Some(save(&room.path().join("alex.safetensors"), backbone));
    let heads = Some(save(&room.path().join("heads.safetensors"), heads));
    (room, LpipsParameters { weights, heads, ..LpipsParameters::default() })
}

fn open(parameters: LpipsParameters) -> Result<LpipsEmbedder> {
    LpipsEmbedder::create(parameters, &Environment::default())
}

fn request(name: &str, height: u32, spatial: bool) -> EmbedRequest {
    EmbedRequest { image: recipe::picture(name, height, 48).into(), spatial }
}

#[test]
fn maps_come_on_request_and_vectors_always() {
    let (_room, parameters) = files(1.0);
    let embedder = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let cx = CallContext::detached();
    let answers =
        embedder.embed_batch(&[request("a", 64, true), request("b", 20, true), request("a", 64, false)], &cx);
    let (with, without) = (answers[0].as_ref().expect("maps"), answers[2].as_ref().expect("a vector"));
    assert_eq!((with.vector.len(), &with.vector), (1152, &without.vector));
    assert!(without.spatial.is_empty());
    let channels: Vec<u32> = with.spatial.iter().map(|map| map.channels).collect();
    assert_eq!(channels, [64, 192, 384, 256, 256]);
    let error = answers[1].as_ref().expect_err("too small");
    assert!(
        error.kind == ErrorKind::InvalidRequest && error.to_string().contains("at least 32 pixels"),
        "{error}"
    );
    let info = embedder.describe();
    assert_eq!((info.name.as_str(), info.dimension), ("LPIPS(alex)", 1152));
}

#[test]
fn what_is_missing_or_too_much_is_named() {
    let error = open(LpipsParameters::default()).err().expect("nothing is named");
    assert_eq!(error.kind, ErrorKind::MissingWeights);
    assert!(error.hint.clone().unwrap_or_default().contains("weights/v0.1/alex.pth"), "{error}");
    let (_room, parameters) = files(1.0);
    let both = LpipsParameters { shift_tolerant: true, ..parameters.clone() };
    assert_eq!(open(both).err().expect("both").kind, ErrorKind::InvalidParameters);
    let other = LpipsParameters { backbone: Backbone::Vgg, ..parameters };
    let error = open(other).err().expect("another backbone");
    assert!(
        error.kind == ErrorKind::BadWeights && error.to_string().contains("features.12.weight"),
        "{error}"
    );
    let (_room, parameters) = files(-1.0);
    let embedder = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let error = embedder.embed(&request("a", 64, false), &CallContext::detached()).expect_err("negative");
    assert!(
        error.kind == ErrorKind::BadWeights && error.to_string().contains("lin0.model.1.weight"),
        "{error}"
    );
}
