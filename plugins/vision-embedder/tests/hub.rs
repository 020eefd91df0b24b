//! `dinov2`, `clip-vision` and `siglip` on tiny checkpoints with random weights: their features mean nothing, all else is as with
//! real ones.

#[path = "../../models/tests/support/encoders.rs"]
mod encoders;
#[path = "../../models/tests/support/mod.rs"]
mod support;

use adeval_sdk::prelude::*;
use encoders::Facts;
use tempfile::TempDir;
use vision_embedder::{CheckpointParameters, ClipVision, Dinov2, Siglip};

fn tiny(case: &str) -> (TempDir, CheckpointParameters) {
    let room = tempfile::tempdir().expect("a room");
    let folder = room.path().join("tiny");
    std::fs::create_dir(&folder).expect("a folder");
    Facts::read().cases[case].write(&folder, str::to_owned);
    let checkpoint = Some(folder.to_str().expect("UTF-8").to_owned());
    (room, CheckpointParameters { checkpoint, ..CheckpointParameters::default() })
}

fn request(name: &str, height: u32, width: u32) -> EmbedRequest {
    EmbedRequest { image: support::recipe::picture(name, height, width).into(), spatial: false }
}

/// The component embeds, alone as in a batch, and says what it is.
fn tried<E: ImageEmbedder<Parameters = CheckpointParameters>>(
    case: &str,
    name: &str,
    dimension: u32,
    words: &str,
) {
    let (_room, parameters) = tiny(case);
    let embedder = E::create(parameters, &Environment::default()).unwrap_or_else(|e| panic!("{e}"));
    let info = embedder.describe();
    assert_eq!((info.name.as_str(), info.dimension), (name, dimension));
    assert!(info.preprocessing.contains(words), "{}", info.preprocessing);
    let cx = CallContext::detached();
    let requests: Vec<_> = (0..10).map(|i| request(&format!("{case}{i}"), 40 + i, 60)).collect();
    let batch = embedder.embed_batch(&requests, &cx);
    for at in [0, 9] {
        let alone = embedder.embed(&requests[at], &cx).expect("features").vector;
        let together = &batch[at].as_ref().expect("features").vector;
        assert_eq!(alone.len(), dimension as usize);
        let most = alone.iter().zip(together).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 1e-5, "{case}: picture {at} differs by {most} from itself in a batch");
    }
    assert_ne!(batch[0].as_ref().expect("features").vector, batch[1].as_ref().expect("features").vector);
}

#[test]
fn each_family_embeds_and_names_its_checkpoint() {
    tried::<Dinov2>(
        "dinov2 with registers",
        "DINOv2(tiny)",
        32,
        "resized to 36 at the shorter edge by Pillow's bicubic",
    );
    tried::<ClipVision>("whole clip", "CLIP(tiny)", 24, "projected embedding, not normalised");
    tried::<Siglip>(
        "siglip, bilinear",
        "SigLIP(tiny)",
        32,
        "resized to 30x30 by Pillow's bilinear, mean [0.5",
    );
}

#[test]
fn a_checkpoint_of_another_family_and_none_are_explained() {
    let (_room, parameters) = tiny("siglip");
    let error = Dinov2::create(parameters, &Environment::default()).err().expect("refused");
    assert_eq!(error.kind, ErrorKind::BadWeights);
    assert!(error.to_string().contains("not dinov2"), "{error}");
    let error =
        Siglip::create(CheckpointParameters::default(), &Environment::default()).err().expect("refused");
    assert_eq!(error.kind, ErrorKind::MissingWeights);
    assert!(error.hint.clone().unwrap_or_default().contains("google/siglip-base-patch16-224"), "{error}");
}
