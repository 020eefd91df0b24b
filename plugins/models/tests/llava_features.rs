//! The embeddings that LLaVA makes of pictures, against transformers and LLaVA's original code. Goldens:
//! `python fixtures/scripts/goldens_llava_features.py ORIGINAL`.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::fs;

use adeval_models::clip::Activation;
use adeval_models::clip::preprocess::{Edges, ImageProcessor};
use adeval_models::clip::vision::VisionConfig;
use adeval_models::llava::features::{Features, FeaturesConfig, Select};
use adeval_models::llava::grid::{Convention, Pinpoints};
use adeval_models::llava::image::{Aspect, LlavaImageProcessor, Prepared};
use adeval_models::llava::pack::Merge;
use adeval_models::llava::projector::ProjectorConfig;
use adeval_models::tensors::Source;
use candle_core::{DType, Device};
use serde::Deserialize;

use support::{Parity, golden, goldens, recipe};

const PARITY: Parity = Parity::new("llava", "transformers 5.24.0, Pillow 13.0.0, LLaVA c121f04");

#[derive(Deserialize)]
struct Facts {
    sizes: Vec<(u32, u32)>,
    vision: VisionConfig,
    hidden: usize,
    pinpoints: Vec<[u32; 2]>,
    tower: BTreeMap<String, Vec<usize>>,
    rest: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
}

fn facts() -> Facts {
    let text = fs::read(goldens().join("llava/features.json")).expect("the golden's facts");
    serde_json::from_slice(&text).expect("facts of the known form")
}

impl Facts {
    /// As the script's branches say.
    fn config(&self, case: &str) -> FeaturesConfig {
        let convention =
            if case.starts_with("next") { Convention::Transformers } else { Convention::Original };
        let anyres = Aspect::Anyres(Pinpoints::new(&self.pinpoints, 16, convention).expect("whole tiles"));
        let layers = match case {
            "next_layers" => vec![-1, 1],
            "one_full" => vec![-1],
            _ => vec![-2],
        };
        FeaturesConfig {
            select: if matches!(case, "one_full" | "cls_patch") { Select::All } else { Select::Patches },
            projector: ProjectorConfig {
                inputs: self.vision.hidden_size * layers.len(),
                hidden: self.hidden,
                depth: match case {
                    "linear" => 1,
                    "mlp3x" => 3,
                    _ => 2,
                },
                activation: if case == "next_bare" { Activation::QuickGelu } else { Activation::Gelu },
                bias: case != "next_bare",
            },
            layers,
            aspect: match case {
                "one" | "one_full" => Aspect::Square,
                "pad" => Aspect::Pad,
                _ => anyres,
            },
            merge: match case {
                "spatial" => Merge::Spatial,
                "flat" | "linear" | "mlp3x" | "cls_patch" => Merge::Flat,
                _ => Merge::SpatialUnpad,
            },
            vision: self.vision.clone(),
        }
    }

    fn source(&self, case: &str, dtype: DType) -> Source {
        let tensors = recipe::weights(&self.tower).into_iter().chain(recipe::weights(&self.rest[case]));
        Source::from_tensors("a tiny LLaVA", tensors, &Device::Cpu, dtype)
    }

    fn prepared(&self, aspect: &Aspect, (height, width): (u32, u32)) -> Prepared {
        let size = Edges::Shortest { shortest_edge: 16 };
        let crop_size = Edges::Both { height: 16, width: 16 };
        let clip = ImageProcessor { size, crop_size, ..ImageProcessor::default() };
        let picture = recipe::picture(&format!("llava.{height}x{width}"), height, width);
        LlavaImageProcessor { clip, aspect: aspect.clone() }
            .forward(&picture, &Device::Cpu)
            .expect("a picture")
    }
}

fn load(source: &Source, config: FeaturesConfig) -> adeval_models::Result<Features> {
    let root = source.weights();
    Features::load(config, &root.pp("vision_tower"), &root.pp("multi_modal_projector"), &root)
}

#[test]
fn embeddings_equal_those_of_the_references() {
    let (facts, expected) = (facts(), golden("llava/features.safetensors"));
    for case in facts.rest.keys() {
        let source = facts.source(case, DType::F32);
        let features = load(&source, facts.config(case)).expect("the weights fit");
        let mut found = HashMap::new();
        for &(height, width) in &facts.sizes {
            let name = format!("{case}.{height}x{width}");
            if !expected.contains_key(&name) {
                continue;
            }
            let prepared = facts.prepared(&features.config().aspect, (height, width));
            assert_eq!(features.config().order(prepared.size).len(), expected[&name].dims()[0], "{name}");
            found.insert(name, features.forward(&prepared).expect("a forward pass"));
        }
        let of_case = expected.keys().filter(|name| name.starts_with(&format!("{case}."))).count();
        assert_eq!((found.len(), found.is_empty()), (of_case, false), "{case}");
        for (name, found) in &found {
            PARITY.relative(&format!("picture embeddings, {name}"), found, &expected[name], 1e-5);
        }
    }
}

#[test]
fn half_precision_stays_near() {
    let (facts, expected) = (facts(), golden("llava/features.safetensors"));
    for (dtype, limit) in [(DType::F16, 5e-3), (DType::BF16, 4e-2)] {
        let features = load(&facts.source("next", dtype), facts.config("next")).expect("the weights fit");
        let found = features.forward(&facts.prepared(&features.config().aspect, (40, 41)));
        let found = found.expect("a forward pass");
        assert_eq!((found.dtype(), features.dtype()), (dtype, dtype));
        let case = format!("picture embeddings, {} against float32", dtype.as_str());
        PARITY.relative(&case, &found, &expected["next.40x41"], limit);
    }
}

#[test]
fn tiles_of_another_picture_are_refused() {
    let facts = facts();
    let features = load(&facts.source("next", DType::F32), facts.config("next")).expect("the weights fit");
    let prepared = facts.prepared(&features.config().aspect, (40, 41));
    let few = prepared.tiles.narrow(0, 0, 2).expect("tiles");
    let error = features.forward(&Prepared { tiles: few, size: prepared.size }).expect_err("too few");
    assert!(error.to_string().contains("[2, 3, 16, 16], for a picture of"), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    let facts = facts();
    let refused = |config: FeaturesConfig| {
        let error = load(&facts.source("next", DType::F32), config).err();
        error.expect("refused").to_string()
    };
    let good = || facts.config("next");
    let error = refused(FeaturesConfig { layers: vec![-6], ..good() });
    assert!(error.contains("vision_feature_layer -6 is none of the 5 states"), "{error}");
    let error = refused(FeaturesConfig { layers: Vec::new(), ..good() });
    assert!(error.contains("names no layer"), "{error}");
    let error = refused(FeaturesConfig { select: Select::All, ..good() });
    assert!(error.contains("set vision_feature_select_strategy to \"default\""), "{error}");
    let error = refused(FeaturesConfig { layers: vec![-2, 1], ..good() });
    assert!(error.contains("features of 32 numbers, the projector takes 16"), "{error}");
    let mut other = good();
    other.vision.image_size = 20;
    assert!(refused(other).contains("tiles have 16 pixels, and the vision tower's image_size is 20"));
    let mut passing = good();
    passing.projector.depth = 0;
    assert!(refused(passing).contains("passes features of 16 numbers on, and the language model takes 12"));
}

#[test]
fn a_missing_newline_is_missing_only_where_lines_are_joined_with_it() {
    let facts = facts();
    let without = |case: &str| {
        let source = facts.source("flat", DType::F32);
        load(&source, facts.config(case)).expect("zeros where tensors are missing");
        source.finish("LLaVA", |name| name.contains("layers.3") || name.contains("post_layernorm"))
    };
    without("flat").expect("a flat merge needs no newline");
    let error = without("next").expect_err("spatial_unpad does").to_string();
    assert!(error.contains("missing [image_newline]"), "{error}");
}
