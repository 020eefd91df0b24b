//! What either side may rely on when the other is newer or older within a major version of the contract.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]
use adeval_sdk::prelude::*;
use adeval_sdk::{ContractVersion, Floats, Manifest, Message, decode, encode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// The message's body as JSON, changed, and as a message again.
fn edited(message: &Message, change: impl FnOnce(&mut Value)) -> Message {
    let mut body: Value = rmp_serde::from_slice(&message.body).unwrap();
    change(&mut body);
    let body = rmp_serde::to_vec_named(&body).unwrap();
    Message { body, attachments: message.attachments.clone() }
}

/// Adds a field that nobody knows to every struct. Empty maps are data (attributes, metrics), not structs.
fn extend(value: &mut Value) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.values_mut().for_each(extend);
            map.insert("added_later".into(), json!([1, { "x": 2 }]));
        }
        Value::Array(list) => list.iter_mut().for_each(extend),
        _ => {}
    }
}

/// The top-level fields without which the value cannot be read.
fn required<T: Serialize + DeserializeOwned>(value: &T) -> Vec<String> {
    let message = encode(value).unwrap();
    let fields: Map<String, Value> = rmp_serde::from_slice(&message.body).unwrap();
    let without = |name: &String| {
        edited(&message, |body| {
            body.as_object_mut().unwrap().remove(name);
        })
    };
    fields.into_iter().map(|(name, _)| name).filter(|n| decode::<T>(without(n)).is_err()).collect()
}

fn image() -> Image {
    image::RgbImage::from_pixel(2, 2, image::Rgb([1, 2, 3])).into()
}

fn product() -> Product {
    Product::new("p", "t", image())
}

fn pair() -> PairRequest {
    PairRequest { product: product(), left: image(), right: image() }
}

fn evidence() -> SampleEvidence {
    SampleEvidence { reward: 1.0, clean: LogProbs::default(), corrupted: vec![], sampled: vec![] }
}

macro_rules! contract {
    ($($value:expr => [$($field:literal),*];)*) => {
        /// A host reads older plugins' replies and a plugin is sent older hosts' requests: a field that is added in a
        /// minor version must have a default, so these lists never grow within contract 1.
        #[test]
        fn no_field_is_required_that_contract_1_0_did_not_have() {
            $(assert_eq!(required(&$value), Vec::<&str>::from([$($field),*]), "{}", stringify!($value));)*
        }

        #[test]
        fn fields_that_are_added_later_are_ignored() {
            $({
                let value = $value;
                let longer = edited(&encode(&value).unwrap(), extend);
                assert_eq!(read_like(&value, longer), value, "{}", stringify!($value));
            })*
        }
    };
}

fn read_like<T: DeserializeOwned>(_: &T, message: Message) -> T {
    decode(message).unwrap()
}

contract! {
    product() => ["id", "image", "title"];
    PromptRequest::new(product(), 1) => ["max_tokens", "product", "samples", "seed", "temperature", "top_p"];
    PromptSample { text: "t".into(), tokens: vec![1], log_probs: vec![-1.0], finish: FinishReason::Stop }
        => ["finish", "text"];
    ConditionedAnswer { condition: product(), tokens: vec![1] } => ["condition", "tokens"];
    AnswerGradient {
        answer: ConditionedAnswer { condition: product(), tokens: vec![1] },
        loss_by_log_prob: vec![0.5],
    } => ["answer", "loss_by_log_prob"];
    BackgroundRequest::new(product(), "w", 1) => ["height", "product", "prompt", "seed", "width"];
    Creative { image: image(), placement: Placement { left: 0, top: 0, width: 1, height: 1 } }
        => ["image", "placement"];
    pair() => ["left", "product", "right"];
    Preference { left: 0.5 } => ["left"];
    ScoreRequest { product: product(), creative: image() } => ["creative", "product"];
    PointScore { ctr: 0.1, parts: Default::default() } => ["ctr"];
    LabelledPair { pair: pair(), left: 1.0, ctr: Some((0.1, 0.2)) } => ["left", "pair"];
    GradientOptions::default() => [];
    TrainingOptions::new(0.1) => ["learning_rate"];
    TrainingReport::default() => [];
    OptimizerNeeds { samples_per_product: 2, corruptions: vec![Corruption::SwappedText] }
        => ["samples_per_product"];
    evidence() => ["clean", "reward"];
    PreferenceBatch { groups: vec![vec![evidence()]] } => ["groups"];
    SampleGradient::default() => ["clean"];
    LossAndGradient { loss: 1.0, groups: vec![], metrics: Default::default() } => ["groups", "loss"];
    EncoderInfo { name: "n".into(), dimension: 1, preprocessing: "p".into() }
        => ["dimension", "name", "preprocessing"];
    EmbedRequest { image: image(), spatial: true } => ["image"];
    Embedding {
        vector: vec![1.0],
        spatial: vec![FeatureMap { channels: 1, height: 1, width: 1, values: Floats::from(vec![2.0]) }],
    } => ["vector"];
    PluginError::unsupported("no").with_hint("yes") => ["kind", "message"];
    Environment::default() => ["device"];
}

#[test]
fn an_error_class_that_is_added_later_reads_as_other() {
    let unknown = json!({ "kind": "quota-exceeded", "message": "m" });
    let message = Message { body: rmp_serde::to_vec_named(&unknown).unwrap(), attachments: vec![] };
    assert_eq!(decode::<PluginError>(message).unwrap().kind, ErrorKind::Other);
    assert_eq!(serde_json::from_value::<PluginError>(unknown).unwrap().kind, ErrorKind::Other);
    // And every class that is known survives both encodings.
    let known = PluginError::new(ErrorKind::DeviceUnavailable, "m");
    assert_eq!(decode::<PluginError>(encode(&known).unwrap()).unwrap(), known);
}

#[test]
fn a_host_serves_its_own_major_and_no_newer_minor() {
    let host = ContractVersion { major: 3, minor: 4 };
    let serves = |major, minor| host.serves(ContractVersion { major, minor });
    assert!(serves(3, 4) && serves(3, 3) && serves(3, 0));
    assert!(!serves(3, 5) && !serves(2, 4) && !serves(4, 0));
    assert_eq!(ContractVersion::unpack(host.packed()), host);
}

#[test]
fn a_manifest_with_more_in_it_can_be_read() {
    let manifest = json!({
        "library": "l", "version": "0.1.0", "contract": { "major": 1, "minor": 0 },
        "features": ["cancel", "telepathy"], "components": [],
    });
    let mut longer = manifest.clone();
    extend(&mut longer);
    let read: Manifest = serde_json::from_value(longer).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), manifest);
    assert!(read.has("cancel") && !read.has("batch"));
}

/// Answers every call with one embedding whose feature map says that it has no end.
struct Boundless;

impl adeval_sdk::Endpoint for Boundless {
    fn call(&self, _: &str, _: Message, _: &adeval_sdk::CallContext<'_>) -> adeval_sdk::Result<Message> {
        let map =
            FeatureMap { channels: u32::MAX, height: u32::MAX, width: u32::MAX, values: vec![0.5].into() };
        let reply: adeval_sdk::Result<Embedding> = Ok(Embedding { vector: vec![0.5], spatial: vec![map] });
        encode(&[reply])
    }
}

#[test]
fn a_feature_map_of_an_impossible_shape_is_a_violation_and_no_overflow() {
    let client = adeval_sdk::client::EmbedderClient::new(std::sync::Arc::new(Boundless));
    let request = EmbedRequest { image: image(), spatial: true };
    let replies = client.embed(&[request], &adeval_sdk::CallContext::detached()).expect("one reply");
    let error = replies[0].as_ref().expect_err("the map has one value");
    assert_eq!(error.kind, ErrorKind::ContractViolation, "{error}");
}
