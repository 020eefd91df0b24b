//! The plugin on a tiny checkpoint with random weights: its pictures are nothing to look at, all else is as with a real one.

#[path = "../../models/tests/support/pipelines.rs"]
mod pipelines;
#[path = "../../models/tests/support/published.rs"]
mod published;
#[path = "../../models/tests/support/mod.rs"]
mod support;

use std::sync::Mutex;

use adeval_models::product_canvas::{CanvasOptions, ProductCanvas};
use adeval_sdk::outline::{OutlineOptions, outline};
use adeval_sdk::{
    BackgroundGenerator, BackgroundRequest, CallContext, CallHost, Component, Creative, Environment,
    ErrorKind, Image, PluginError, Product, Result,
};
use image::{Rgba, RgbaImage};
use pipelines::Facts;
use sd_background::{Parameters, Precision, SdBackground};
use tempfile::TempDir;

fn tiny() -> (TempDir, Parameters) {
    let folder = tempfile::tempdir().expect("a folder");
    let (base, control) = published::published(&Facts::read(), folder.path());
    let name = |path: std::path::PathBuf| path.to_str().expect("UTF-8").to_owned();
    let parameters = Parameters {
        checkpoint: Some(name(base)),
        control_nets: vec![name(control)],
        steps: 2,
        ..Parameters::default()
    };
    (folder, parameters)
}

fn open(parameters: Parameters) -> Result<SdBackground> {
    SdBackground::create(parameters, &Environment::default())
}

/// A red disc with a soft edge.
fn product() -> Product {
    let alpha = |x: u32, y: u32| {
        let distance = (f64::from(x) - 31.5).hypot(f64::from(y) - 31.5);
        ((26.0 - distance).clamp(0.0, 1.0) * 255.0) as u8
    };
    let disc = RgbaImage::from_fn(64, 64, |x, y| Rgba([200, 30, (x * 3) as u8, alpha(x, y)]));
    Product::new("disc", "Disc", Image::from(disc))
}

fn request(width: u32, height: u32, seed: u64) -> BackgroundRequest {
    BackgroundRequest {
        width,
        height,
        ..BackgroundRequest::new(product(), "a marble table, soft light", seed)
    }
}

fn generate(plugin: &SdBackground, request: &BackgroundRequest) -> Creative {
    plugin.generate(request, &CallContext::detached()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_seed_decides_the_background_and_never_the_product() {
    let (_folder, parameters) = tiny();
    let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let (first, again, other) = (request(64, 64, 1), request(64, 64, 1), request(64, 64, 2));
    let [first, again, other] = [first, again, other].map(|request| generate(&plugin, &request));
    assert_eq!(first.image, again.image);
    assert_ne!(first.image, other.image);
    // The middle of the disc is the product's own pixels, whatever was painted.
    let (a, b) = (first.image.to_rgb(), other.image.to_rgb());
    assert_eq!(a.get_pixel(32, 32), b.get_pixel(32, 32));
    assert_eq!(a.get_pixel(32, 32).0[..2], [200, 30]);
    assert_ne!(a.get_pixel(1, 1), b.get_pixel(1, 1));
    let placed = first.placement;
    assert_eq!((placed.width, placed.height), (49, 49), "0.78 of 64 pixels");
}

#[test]
fn any_size_comes_back_as_it_was_asked_for() {
    let (_folder, parameters) = tiny();
    let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    for (width, height) in [(64, 48), (61, 43), (9, 80), (2, 2)] {
        let creative = generate(&plugin, &request(width, height, 7));
        assert_eq!((creative.image.width(), creative.image.height()), (width, height));
    }
}

#[test]
fn options_of_the_request_and_the_parameters_have_an_effect() {
    let (_folder, parameters) = tiny();
    let plain = open(parameters.clone()).unwrap_or_else(|e| panic!("{e}"));
    let base = generate(&plain, &request(64, 64, 3)).image;
    let changed = |change: &dyn Fn(&mut BackgroundRequest)| {
        let mut request = request(64, 64, 3);
        change(&mut request);
        generate(&plain, &request).image
    };
    assert_ne!(base, changed(&|r| r.prompt = "a red car".into()));
    assert_ne!(base, changed(&|r| r.negative_prompt = "dogs".into()));
    assert_ne!(base, changed(&|r| r.steps = Some(3)));
    assert_ne!(base, changed(&|r| r.guidance = Some(1.0)));
    assert_ne!(base, changed(&|r| r.control_strength = Some(0.0)));
    let edits: [&dyn Fn(&mut Parameters); 5] = [
        &|p| p.sampler = "ddim".into(),
        &|p| p.control_fade = 0.0,
        &|p| p.control_end = 0.5,
        &|p| p.mask_rim = 10,
        &|p| p.clip_skip = 1,
    ];
    for (i, edit) in edits.iter().enumerate() {
        let mut parameters = parameters.clone();
        edit(&mut parameters);
        let other = open(parameters).unwrap_or_else(|e| panic!("{e}"));
        assert_ne!(base, generate(&other, &request(64, 64, 3)).image, "edit {i}");
    }
}

/// Stops at the second step.
struct Impatient(Mutex<Vec<String>>);

impl CallHost for Impatient {
    fn cancelled(&self) -> bool {
        self.0.lock().is_ok_and(|notes| notes.iter().any(|n| n.starts_with("step 2 ")))
    }
    fn progress(&self, _: f32, note: &str) {
        if let Ok(mut notes) = self.0.lock() {
            notes.push(note.to_owned());
        }
    }
}

#[test]
fn a_run_shows_its_steps_and_stops_between_two_of_them() {
    let (_folder, parameters) = tiny();
    let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let host = Impatient(Mutex::default());
    let request = BackgroundRequest { steps: Some(5), ..request(64, 64, 1) };
    let error = plugin.generate(&request, &CallContext::new(&host)).expect_err("it was stopped");
    assert_eq!(error.kind, ErrorKind::Cancelled);
    let notes = host.0.lock().expect("notes");
    assert_eq!(notes.as_slice(), ["step 1 of 5", "step 2 of 5"]);
}

#[test]
fn a_long_prompt_is_taken_whole_and_said() {
    let (_folder, parameters) = tiny();
    let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let host = Impatient(Mutex::default());
    let request = BackgroundRequest { prompt: "flowers, ".repeat(80), steps: Some(1), ..request(64, 64, 1) };
    plugin.generate(&request, &CallContext::new(&host)).unwrap_or_else(|e| panic!("{e}"));
    let notes = host.0.lock().expect("notes");
    assert!(notes.iter().any(|n| n.contains("tokens")), "{notes:?}");
}

fn refusal(change: impl FnOnce(&mut Parameters)) -> PluginError {
    let (_folder, mut parameters) = tiny();
    change(&mut parameters);
    open(parameters).err().expect("it is refused")
}

#[test]
fn what_is_missing_or_wrong_is_named_with_what_to_do() {
    let none = open(Parameters::default()).err().expect("there are no weights");
    assert_eq!(none.kind, ErrorKind::MissingWeights);
    assert!(
        none.hint.as_deref().is_some_and(|h| h.contains("checkpoint") && h.contains("adeval models pull")),
        "{none}"
    );
    let absent = refusal(|p| p.checkpoint = Some("nobody/nothing".into()));
    assert_eq!(absent.kind, ErrorKind::MissingWeights);
    assert!(absent.message.contains("nobody/nothing"), "{absent}");
    let swapped = refusal(|p| p.control_nets = vec![p.checkpoint.clone().expect("a path")]);
    assert_eq!(swapped.kind, ErrorKind::BadWeights);
    assert!(swapped.message.contains("ControlNet"), "{swapped}");
    let sampler = refusal(|p| p.sampler = "eular".into());
    assert_eq!(sampler.kind, ErrorKind::InvalidParameters);
    assert!(sampler.message.contains("eular") && sampler.message.contains("euler"), "{sampler}");
    let precision = refusal(|p| p.precision = Precision::Bf16);
    assert_eq!(precision.kind, ErrorKind::InvalidParameters);
    assert!(precision.message.contains("bf16") && precision.message.contains("f32"), "{precision}");
    let span = refusal(|p| p.control_start = 1.0);
    assert!(span.message.contains("control_start is 1"), "{span}");
    let device = SdBackground::create(tiny().1, &Environment { device: "cuda:0".into(), weights: None });
    if !cfg!(feature = "cuda") {
        assert_eq!(device.err().expect("not built for it").kind, ErrorKind::DeviceUnavailable);
    }
}

#[test]
fn a_product_without_a_visible_pixel_is_named() {
    let (_folder, parameters) = tiny();
    let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let nothing = Product::new("ghost", "Ghost", Image::from(RgbaImage::new(8, 8)));
    let request = BackgroundRequest { product: nothing, ..request(64, 64, 1) };
    let error = plugin.generate(&request, &CallContext::detached()).expect_err("nothing is visible");
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.contains("ghost") && error.message.contains("no visible pixel"), "{error}");
}

/// Remembers what it is told.
#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl CallHost for Listener {
    fn cancelled(&self) -> bool {
        false
    }
    fn progress(&self, _: f32, note: &str) {
        if let Ok(mut notes) = self.0.lock() {
            notes.push(note.to_owned());
        }
    }
}

impl Listener {
    fn heard(&self) -> Vec<String> {
        self.0.lock().expect("notes").clone()
    }
}

#[test]
fn of_several_attempts_the_one_with_the_best_outline_is_taken() {
    // Smaller, and the segmenter finds the disc in any noise to the pixel.
    const SIDE: u32 = 256;
    let (_folder, parameters) = tiny();
    let once = open(parameters.clone()).unwrap_or_else(|e| panic!("{e}"));
    let thrice = open(Parameters { attempts: 3, ..parameters }).unwrap_or_else(|e| panic!("{e}"));
    let segmenter = adeval_cutout::CutOut::load().expect("the network");
    let placed = {
        let cutout = adeval_sdk::CutOut::of(&product()).expect("a cut-out");
        let options = CanvasOptions { width: SIDE, height: SIDE, ..CanvasOptions::default() };
        ProductCanvas::new(cutout.pixels(), &options).expect("a canvas").alpha
    };
    let penalty = |creative: &Creative| {
        let found = segmenter.alpha(&creative.image.to_rgb()).expect("a map");
        outline(&found, &placed, OutlineOptions::default()).expect("a measure").penalty()
    };
    let mut later = 0;
    for seed in [0, 2] {
        // The seeds of the attempts, by the rule that the documentation gives.
        let again = |n: &str| adeval_sdk::rng::derive(seed, &["sd-background", "attempt", n]);
        let singles = [seed, again("1"), again("2")].map(|seed| generate(&once, &request(SIDE, SIDE, seed)));
        let penalties = singles.each_ref().map(penalty);
        let best = (0..3).min_by(|&a, &b| penalties[a].total_cmp(&penalties[b])).expect("three");
        assert_eq!(generate(&thrice, &request(SIDE, SIDE, seed)), singles[best], "{penalties:?}");
        later += usize::from(best > 0);
    }
    assert!(later > 0, "no later attempt was ever better, so the test shows nothing");
}

#[test]
fn a_good_enough_attempt_is_the_last() {
    let (_folder, parameters) = tiny();
    let easy = Parameters { attempts: 3, penalty_limit: 10.0, ..parameters };
    let plugin = open(easy).unwrap_or_else(|e| panic!("{e}"));
    let host = Listener::default();
    plugin.generate(&request(64, 64, 1), &CallContext::new(&host)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(host.heard(), ["attempt 1 of at most 3, step 1 of 2", "attempt 1 of at most 3, step 2 of 2"]);
}

#[test]
fn a_batch_gives_what_its_members_give_alone_and_only_the_culprit_fails() {
    let (_folder, parameters) = tiny();
    let alone = open(parameters.clone()).unwrap_or_else(|e| panic!("{e}"));
    let batched = open(Parameters { batch: 3, ..parameters }).unwrap_or_else(|e| panic!("{e}"));
    let ghost = Product::new("ghost", "Ghost", Image::from(RgbaImage::new(8, 8)));
    let mut requests: Vec<_> = (0..4).map(|seed| request(64, 48, seed)).collect();
    requests.insert(1, BackgroundRequest { product: ghost, ..request(64, 48, 9) });
    requests.push(request(48, 48, 5));
    let host = Listener::default();
    let together = batched.generate_batch(&requests, &CallContext::new(&host));
    assert_eq!(together.len(), requests.len());
    for (i, (request, result)) in requests.iter().zip(together).enumerate() {
        let expected = alone.generate(request, &CallContext::detached());
        match (result, expected) {
            (Ok(found), Ok(expected)) => {
                let (a, b) = (found.image.bytes(), expected.image.bytes());
                let most = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(most <= Some(1), "request {i} differs by {most:?}");
            }
            (found, expected) => assert_eq!(found.is_err(), expected.is_err(), "request {i}"),
        }
    }
    let heard = host.heard();
    assert!(heard.contains(&"creatives 3 to 5 of 6, step 1 of 2".to_owned()), "{heard:?}");
}

#[test]
fn what_will_be_loaded_is_told_first() {
    let (_folder, parameters) = tiny();
    let host = Listener::default();
    let plugin = SdBackground::create_watched(parameters, &Environment::default(), &CallContext::new(&host));
    assert!(plugin.is_ok());
    let heard = host.heard();
    assert_eq!(heard.len(), 2, "the checkpoint and its ControlNet: {heard:?}");
    assert!(heard[0].contains("3 files") && heard[0].contains("as f32 on cpu the weights take"), "{heard:?}");
}
