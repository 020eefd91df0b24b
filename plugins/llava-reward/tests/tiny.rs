//! The plugin on a tiny checkpoint with random weights: its judgements mean nothing, all else is as with a real one.

#[path = "../../models/tests/support/llava.rs"]
mod llava;
#[path = "../../models/tests/support/mod.rs"]
mod support;

use adeval_sdk::CallHost;
use adeval_sdk::prelude::*;
use image::RgbaImage;
use llava::{Branch, Layout};
use llava_reward::{LlavaReward, Orders, Parameters, Question};
use tempfile::TempDir;

const HEADS: [&str; 2] = ["score.weight", "sku_ctr_linear_fc.0.weight"];

fn tiny(heads: &[&str]) -> (TempDir, Parameters) {
    let folder = tempfile::tempdir().expect("a folder");
    Branch::read("original").write(folder.path(), Layout::Original, |_| true, heads);
    let checkpoint = Some(folder.path().to_str().expect("UTF-8").to_owned());
    (folder, Parameters { checkpoint, ..Parameters::default() })
}

fn open(parameters: Parameters) -> Result<LlavaReward> {
    LlavaReward::create(parameters, &Environment::default())
}

fn creative(name: &str, side: u32) -> Image {
    let picture = support::recipe::picture(name, side, side);
    Image::from(RgbaImage::from_fn(side, side, |x, y| {
        let [r, g, b] = picture.get_pixel(x, y).0;
        image::Rgba([r, g, b, 255])
    }))
}

fn product() -> Product {
    let mut product = Product::new("bag", "Red leather bag", creative("bag", 8));
    product.price = Some(59.0);
    product
}

fn pair(left: &str, right: &str) -> PairRequest {
    PairRequest { product: product(), left: creative(left, 64), right: creative(right, 48) }
}

fn compare(plugin: &LlavaReward, pair: &PairRequest) -> f64 {
    plugin.compare(pair, &CallContext::detached()).unwrap_or_else(|e| panic!("{e}")).left
}

#[test]
fn pairs_are_judged_alone_and_in_batches() {
    let (_folder, parameters) = tiny(&HEADS);
    let plugin = open(Parameters { batch: 2, ..parameters }).unwrap_or_else(|e| panic!("{e}"));
    let pairs = [pair("a", "b"), pair("b", "a"), pair("a", "c")];
    let together = plugin.compare_batch(&pairs, &CallContext::detached());
    for (pair, found) in pairs.iter().zip(together) {
        let found = found.unwrap_or_else(|e| panic!("{e}")).left;
        assert!((found - compare(&plugin, pair)).abs() < 1e-5);
        assert!((0.0..=1.0).contains(&found));
    }
    let request = ScoreRequest { product: product(), creative: creative("a", 64) };
    let score = plugin.score(&request, &CallContext::detached()).unwrap_or_else(|e| panic!("{e}"));
    assert!((0.0..=1.0).contains(&score.ctr));
    assert!((score.parts["point_head"].clamp(0.0, 1.0) - score.ctr).abs() < 1e-12);
}

#[test]
fn both_orders_leave_no_liking_for_a_side() {
    let (_folder, parameters) = tiny(&HEADS);
    let plugin = open(Parameters { orders: Orders::Both, ..parameters }).unwrap_or_else(|e| panic!("{e}"));
    let (one, other) = (compare(&plugin, &pair("a", "b")), {
        let pair = pair("a", "b");
        compare(&plugin, &PairRequest { left: pair.right.clone(), right: pair.left.clone(), ..pair })
    });
    assert!((one + other - 1.0).abs() < 1e-6, "{one} {other}");
}

#[test]
fn what_is_asked_has_an_effect() {
    let (folder, parameters) = tiny(&HEADS);
    let base = compare(&open(parameters.clone()).unwrap_or_else(|e| panic!("{e}")), &pair("a", "b"));
    let own = folder.path().join("questions.json");
    std::fs::write(
        &own,
        r#"{"bare": ["left or right"], "caption": ["{caption}: left?"], "attributes": ["{attributes}"]}"#,
    )
    .expect("a file");
    let edits: [&dyn Fn(&mut Parameters); 5] = [
        &|p| p.question = Question::Bare,
        &|p| p.question = Question::Attributes,
        &|p| p.wording = 1,
        &|p| p.questions = Some(own.clone()),
        &|p| p.template = Some("chatml_direct".into()),
    ];
    for (number, edit) in edits.iter().enumerate() {
        let mut parameters = parameters.clone();
        edit(&mut parameters);
        let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
        assert!((compare(&plugin, &pair("a", "b")) - base).abs() > 1e-6, "edit {number}");
    }
}

#[test]
fn what_cannot_be_loaded_is_explained() {
    let refused = |parameters: Parameters| open(parameters).err().expect("refused");
    let error = refused(Parameters::default());
    assert_eq!(error.kind, ErrorKind::MissingWeights);
    let (_folder, base) = tiny(&[]);
    let error = refused(base);
    assert_eq!(error.kind, ErrorKind::BadWeights);
    assert!(error.to_string().contains("this is a base model"), "{error}");
    let (_folder, parameters) = tiny(&HEADS);
    let error = refused(Parameters { batch: 0, ..parameters.clone() });
    assert!(
        error.kind == ErrorKind::InvalidParameters && error.to_string().contains("batch is 0"),
        "{error}"
    );
    let error = refused(Parameters { template: Some("vicuna".into()), ..parameters.clone() });
    assert!(error.to_string().contains("vicuna_v1, mistral_instruct, chatml_direct"), "{error}");
    let error = refused(Parameters { questions: Some("nowhere.json".into()), ..parameters });
    assert!(
        error.kind == ErrorKind::InvalidParameters && error.to_string().contains("nowhere.json"),
        "{error}"
    );
}

struct Stopped;

impl CallHost for Stopped {
    fn cancelled(&self) -> bool {
        true
    }
    fn progress(&self, _: f32, _: &str) {}
}

#[test]
fn a_stopped_call_judges_nothing_more() {
    let (_folder, parameters) = tiny(&HEADS);
    let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let results = plugin.compare_batch(&[pair("a", "b")], &CallContext::new(&Stopped));
    assert!(matches!(&results[..], [Err(error)] if error.kind == ErrorKind::Cancelled));
}
