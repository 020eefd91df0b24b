//! `inception-v3-fid` with random weights: its features mean nothing, all else is as with the published ones.

#[path = "../../models/tests/support/made.rs"]
mod made;
#[path = "../../models/tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use adeval_sdk::CallHost;
use adeval_sdk::prelude::*;
use vision_embedder::{InceptionParameters, InceptionV3Fid, Resize};

/// A file of weights by formula, written once.
fn weights() -> &'static Path {
    static ROOM: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = ROOM.get_or_init(|| {
        let room = tempfile::tempdir().expect("a room");
        let path = room.path().join("random.safetensors");
        made::inception(&path);
        (room, path)
    });
    path
}

fn open(resize: Resize) -> InceptionV3Fid {
    let parameters = InceptionParameters { weights: Some(weights().to_owned()), resize };
    InceptionV3Fid::create(parameters, &Environment::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn request(name: &str, height: u32, width: u32) -> EmbedRequest {
    EmbedRequest { image: support::recipe::picture(name, height, width).into(), spatial: false }
}

#[test]
fn random_weights_are_never_called_fid() {
    for (resize, name) in
        [(Resize::Legacy, "Inception-v3(random)"), (Resize::Clean, "Inception-v3(random, clean)")]
    {
        let info = open(resize).describe();
        assert_eq!((info.name.as_str(), info.dimension), (name, 2048));
        assert!(info.preprocessing.contains("random.safetensors"), "{}", info.preprocessing);
        assert!(![EncoderInfo::FID, EncoderInfo::CLEAN_FID].contains(&info.name.as_str()));
    }
}

#[test]
fn a_batch_gives_what_single_images_give_and_a_fault_costs_itself_only() {
    let (embedder, cx) = (open(Resize::Legacy), CallContext::detached());
    let mut requests = vec![request("a", 40, 30), request("b", 31, 300), request("c", 20, 20)];
    requests[1].spatial = true;
    let batch = embedder.embed_batch(&requests, &cx);
    assert_eq!(batch[1].as_ref().expect_err("no spatial features").kind, ErrorKind::Unsupported);
    for at in [0, 2] {
        let alone = embedder.embed(&requests[at], &cx).expect("features");
        assert!(alone.vector.len() == 2048 && alone.vector.iter().all(|value| *value >= 0.0));
        let together = batch[at].as_ref().expect("features");
        let most = alone.vector.iter().zip(&together.vector).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 1e-5, "picture {at} differs by {most} from itself in a batch");
    }
}

#[test]
fn the_way_to_resize_has_an_effect() {
    let (cx, request) = (CallContext::detached(), request("a", 400, 500));
    let vector = |resize| open(resize).embed(&request, &cx).expect("features").vector;
    assert_ne!(vector(Resize::Legacy), vector(Resize::Clean));
}

#[test]
fn missing_weights_are_named_with_their_sum_and_source() {
    let error = InceptionV3Fid::create(InceptionParameters::default(), &Environment::default()).err();
    let error = error.expect("there are none");
    assert_eq!(error.kind, ErrorKind::MissingWeights);
    let hint = error.hint.clone().unwrap_or_default();
    for part in ["pt_inception-2015-12-05-6726825d.pth", "SHA-256 6726825d", "torch-fidelity"] {
        assert!(hint.contains(part), "{part}: {error}");
    }
    let lost = InceptionParameters { weights: Some("lost.pth".into()), ..InceptionParameters::default() };
    let error = InceptionV3Fid::create(lost, &Environment::default()).err().expect("no such file");
    assert!(error.to_string().contains("lost.pth"), "{error}");
}

struct Stopped;

impl CallHost for Stopped {
    fn cancelled(&self) -> bool {
        true
    }
    fn progress(&self, _: f32, _: &str) {}
}

#[test]
fn a_stopped_call_embeds_nothing_more() {
    let answers = open(Resize::Legacy).embed_batch(&[request("a", 9, 9)], &CallContext::new(&Stopped));
    assert!(matches!(&answers[..], [Err(error)] if error.kind == ErrorKind::Cancelled));
}
