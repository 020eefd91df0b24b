//! `cg4ctr-reward`: the reward model of CG4CTR (Yang et al., "A new creative generation pipeline for click-through rate with stable
//! diffusion model", 2024, arXiv 2401.10934), at small size: image and text as tokens that attend to each other.

use crate::encoder::{Encoder, Features};
use crate::network::{Network, Output, Sight};
use crate::nn::{Layout, Linear, Norm, Real, Slot, Tape, Value};
use crate::ranker::{Common, Ranker, Shown, within};
use crate::text;
use adeval_candle::device;
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Image, title, category.
const TOKENS: usize = 3;
const HEADS: usize = 4;
/// Values of a place in the table of text.
const EMBEDDING: usize = 32;
/// Length of the vector whose mean is the score, as in the published code.
const FEATURES: usize = 10;

/// Parameters of `cg4ctr-reward`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cg4CtrParameters {
    /// A folder of DINOv2, CLIP or SigLIP (also SigLIP 2 of fixed size) as transformers writes it, or a hub id in the cache;
    /// EfficientNet-Lite0 from inside the library where none is named.
    pub encoder: Option<String>,
    /// Width of a token, a multiple of 4.
    #[schemars(range(min = 4, max = 1024))]
    pub width: u32,
    /// Layers of the transformer that mixes the tokens.
    #[schemars(range(min = 1, max = 12))]
    pub layers: u32,
    /// Places of the table that words and their parts are hashed to.
    #[schemars(range(min = 16, max = 1048576))]
    pub buckets: u32,
    /// Share of values that a pass in training leaves out.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub dropout: f64,
    /// Weight of the squared error of the predicted CTRs in the loss; 0 for none.
    #[schemars(range(min = 0.0, max = 1000000.0))]
    pub point_weight: f64,
    /// The CTR that an untrained model predicts.
    #[schemars(range(min = 0.0001, max = 0.9999))]
    pub base_ctr: f64,
    /// Seed of the initial weights.
    pub seed: u64,
    /// Memory for features of pictures, in MiB: an epoch asks for the same pictures again.
    #[schemars(range(max = 65536))]
    pub cache: u32,
}

impl Default for Cg4CtrParameters {
    fn default() -> Self {
        Self {
            encoder: None,
            width: 64,
            layers: 2,
            buckets: 4096,
            dropout: 0.1,
            point_weight: 0.5,
            base_ctr: 0.03,
            seed: 0,
            cache: 256,
        }
    }
}

/// What is seen of a creative: its picture, and its product's text as places in the table.
pub struct Seen {
    pub image: Features,
    pub title: Vec<u32>,
    pub category: Vec<u32>,
}

/// Linear, layer norm, ReLU, dropout.
struct Block {
    linear: Linear,
    norm: Norm,
}

impl Block {
    fn new(layout: &mut Layout, name: &str, inputs: usize, outputs: usize) -> Self {
        let linear = layout.linear(name, inputs, outputs);
        Self { linear, norm: layout.norm(&format!("{name}.norm"), outputs) }
    }

    fn forward<T: Real>(&self, tape: &mut Tape<'_, T>, x: Value, dropout: f64) -> Value {
        let x = tape.linear(x, self.linear);
        let x = tape.norm(x, self.norm, self.linear.outputs);
        let x = tape.relu(x);
        tape.dropout(x, dropout)
    }
}

/// A transformer layer as in BERT: norms behind the sums.
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    attended: Norm,
    wide: Linear,
    narrow: Linear,
    done: Norm,
}

impl Layer {
    fn new(layout: &mut Layout, name: &str, width: usize) -> Self {
        let mut linear =
            |part: &str, inputs, outputs| layout.linear(&format!("{name}.{part}"), inputs, outputs);
        let (query, value) = (linear("query", width, width), linear("value", width, width));
        let (out, wide) = (linear("out", width, width), linear("wide", width, 4 * width));
        let narrow = linear("narrow", 4 * width, width);
        // A bias would move all scores of a row alike, which the softmax does not see.
        let key = layout.unbiased(&format!("{name}.key"), width, width);
        let [attended, done] = ["attended", "done"].map(|part| layout.norm(&format!("{name}.{part}"), width));
        Self { query, key, value, out, attended, wide, narrow, done }
    }

    fn forward<T: Real>(&self, tape: &mut Tape<'_, T>, x: Value, dropout: f64) -> Value {
        let width = self.query.inputs;
        let looks = [self.query, self.key, self.value].map(|layer| tape.linear(x, layer));
        let mixed = tape.attention(looks, width, HEADS);
        let mixed = tape.linear(mixed, self.out);
        let mixed = tape.dropout(mixed, dropout);
        let sum = tape.add(x, mixed);
        let x = tape.norm(sum, self.attended, width);
        let wide = tape.linear(x, self.wide);
        let wide = tape.gelu(wide);
        let narrow = tape.linear(wide, self.narrow);
        let narrow = tape.dropout(narrow, dropout);
        let sum = tape.add(x, narrow);
        tape.norm(sum, self.done, width)
    }
}

/// The network.
pub struct Fusion {
    layout: Layout,
    table: Slot,
    image: [Block; 2],
    title: [Block; 2],
    category: [Block; 2],
    layers: Vec<Layer>,
    last: Block,
    features: Linear,
    ctr: Linear,
    dropout: f64,
}

impl Fusion {
    pub fn new(inputs: usize, parameters: &Cg4CtrParameters) -> Self {
        let (width, base) = (parameters.width as usize, Cg4CtrRanker::common(parameters).base_logit());
        let mut layout = Layout::default();
        let table = layout.table("text.table", parameters.buckets as usize, EMBEDDING);
        let mut token = |name: &str, inputs: usize| {
            [(1, inputs, 2 * width), (2, 2 * width, width)]
                .map(|(number, from, to)| Block::new(&mut layout, &format!("{name}{number}"), from, to))
        };
        let (image, title) = (token("image", inputs), token("title", EMBEDDING));
        let category = token("category", EMBEDDING);
        let layers = (1..=parameters.layers)
            .map(|number| Layer::new(&mut layout, &format!("layer{number}"), width))
            .collect();
        Self {
            table,
            image,
            title,
            category,
            layers,
            last: Block::new(&mut layout, "last", TOKENS * width, width),
            features: layout.linear("features", width, FEATURES),
            ctr: layout.head("ctr", 1, 0.1, base),
            dropout: parameters.dropout,
            layout,
        }
    }
}

impl Network for Fusion {
    type Seen = Seen;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn forward<T: Real>(&self, tape: &mut Tape<'_, T>, seen: &Seen) -> Output {
        let image = tape.input(seen.image.iter().map(|v| T::of(f64::from(*v))));
        let title = tape.bag(self.table, EMBEDDING, &seen.title);
        let category = tape.bag(self.table, EMBEDDING, &seen.category);
        let parts = [(image, &self.image), (title, &self.title), (category, &self.category)];
        let tokens = parts.map(|(token, [first, second])| {
            let token = first.forward(tape, token, self.dropout);
            second.forward(tape, token, self.dropout)
        });
        let mut x = tape.concat(&tokens);
        for layer in &self.layers {
            x = layer.forward(tape, x, self.dropout);
        }
        // The rows of the tokens one after the other are one row, which is how they lie in memory.
        let x = self.last.forward(tape, x, self.dropout);
        let features = tape.linear(x, self.features);
        let strength = tape.mean(features, 1);
        Output { strength, logit: tape.linear(strength, self.ctr) }
    }
}

/// The frozen encoder, and what learns on it and on text.
pub struct Cg4CtrRanker {
    encoder: Encoder,
    network: Fusion,
    buckets: u32,
}

impl Ranker for Cg4CtrRanker {
    const ID: &'static str = "cg4ctr-reward";
    type Parameters = Cg4CtrParameters;
    type Network = Fusion;

    fn info() -> ComponentInfo {
        let summary =
            "CG4CTR's reward model: features of image, title and category that attend to each other; small";
        let mut info = ComponentInfo::new(Self::ID, summary)
            .license("(MIT OR Apache-2.0) AND Apache-2.0")
            .weights("EfficientNet-Lite0 inside the library, or the encoder that is named; what learns on it begins at random");
        info.devices.extend(device::extra());
        info
    }

    fn common(p: &Cg4CtrParameters) -> Common {
        Common { seed: p.seed, base_ctr: p.base_ctr, point_weight: p.point_weight }
    }

    fn open(p: &Cg4CtrParameters, environment: &Environment, cx: &CallContext<'_>) -> Result<Self> {
        within(Self::ID, "width", f64::from(p.width), 4.0, 1024.0)?;
        within(Self::ID, "layers", f64::from(p.layers), 1.0, 12.0)?;
        within(Self::ID, "buckets", f64::from(p.buckets), 16.0, f64::from(1 << 20))?;
        within(Self::ID, "dropout", p.dropout, 0.0, 0.9)?;
        within(Self::ID, "cache", f64::from(p.cache), 0.0, 65536.0)?;
        if !p.width.is_multiple_of(HEADS as u32) {
            let message = format!("{}: width is {}, it must be a multiple of {HEADS}", Self::ID, p.width);
            return Err(PluginError::invalid_parameters(message));
        }
        let encoder = Encoder::open(p.encoder.as_deref(), p.cache, environment, cx)?;
        Ok(Self { network: Fusion::new(encoder.dimension, p), encoder, buckets: p.buckets })
    }

    fn network(&self) -> &Fusion {
        &self.network
    }

    fn encoder(&self) -> Option<&Encoder> {
        Some(&self.encoder)
    }

    fn look(&self, creatives: &[Shown<'_>], cx: &CallContext<'_>) -> Vec<Result<Sight<Seen>>> {
        let pictures: Vec<&Image> = creatives.iter().map(|(_, image)| *image).collect();
        let seen = self.encoder.look(&pictures, cx).into_iter().zip(creatives);
        seen.map(|(seen, (product, _))| {
            let (key, image) = seen?;
            let title = text::places(&product.title, self.buckets);
            let category = text::places(&product.category.join(" "), self.buckets);
            Ok(Sight { key, seen: Seen { image, title, category } })
        })
        .collect()
    }
}
