//! `vision-reward`: a frozen image encoder and a small network with two heads.

use crate::encoder::{Encoder, Features};
use crate::network::{Network, Output, Sight};
use crate::nn::{Layout, Linear, Real, Tape};
use crate::ranker::{Common, Ranker, Shown, within};
use adeval_candle::device;
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `vision-reward`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VisionParameters {
    /// A folder of DINOv2, CLIP or SigLIP (also SigLIP 2 of fixed size) as transformers writes it, or a hub id in the cache;
    /// EfficientNet-Lite0 from inside the library where none is named.
    pub encoder: Option<String>,
    /// Width of the hidden layer.
    #[schemars(range(min = 1, max = 4096))]
    pub hidden: u32,
    /// Share of hidden values that a pass in training leaves out.
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

impl Default for VisionParameters {
    fn default() -> Self {
        Self {
            encoder: None,
            hidden: 256,
            dropout: 0.1,
            point_weight: 0.5,
            base_ctr: 0.03,
            seed: 0,
            cache: 256,
        }
    }
}

/// Features to hidden values, and two heads on these.
pub struct Mlp {
    layout: Layout,
    hidden: Linear,
    preference: Linear,
    ctr: Linear,
    dropout: f64,
}

impl Mlp {
    pub fn new(inputs: usize, hidden: usize, dropout: f64, base_logit: f64) -> Self {
        let mut layout = Layout::default();
        Self {
            hidden: layout.linear("hidden", inputs, hidden),
            // A bias would be in both strengths of a pair, and so in no preference.
            preference: layout.unbiased("preference", hidden, 1),
            ctr: layout.head("ctr", hidden, 0.1, base_logit),
            dropout,
            layout,
        }
    }
}

impl Network for Mlp {
    type Seen = Features;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn forward<T: Real>(&self, tape: &mut Tape<'_, T>, seen: &Features) -> Output {
        let features = tape.input(seen.iter().map(|v| T::of(f64::from(*v))));
        let hidden = tape.linear(features, self.hidden);
        let hidden = tape.gelu(hidden);
        let hidden = tape.dropout(hidden, self.dropout);
        Output { strength: tape.linear(hidden, self.preference), logit: tape.linear(hidden, self.ctr) }
    }
}

/// The frozen encoder, and what learns on it.
pub struct VisionRanker {
    encoder: Encoder,
    network: Mlp,
}

impl Ranker for VisionRanker {
    const ID: &'static str = "vision-reward";
    type Parameters = VisionParameters;
    type Network = Mlp;

    fn info() -> ComponentInfo {
        let summary = "A trainable preference and CTR model on the features of a frozen image encoder";
        let mut info = ComponentInfo::new(Self::ID, summary)
            .license("(MIT OR Apache-2.0) AND Apache-2.0")
            .weights("EfficientNet-Lite0 inside the library, or the encoder that is named; what learns on it begins at random");
        info.devices.extend(device::extra());
        info
    }

    fn common(p: &VisionParameters) -> Common {
        Common { seed: p.seed, base_ctr: p.base_ctr, point_weight: p.point_weight }
    }

    fn open(p: &VisionParameters, environment: &Environment, cx: &CallContext<'_>) -> Result<Self> {
        within(Self::ID, "hidden", f64::from(p.hidden), 1.0, 4096.0)?;
        within(Self::ID, "dropout", p.dropout, 0.0, 0.9)?;
        within(Self::ID, "cache", f64::from(p.cache), 0.0, 65536.0)?;
        let encoder = Encoder::open(p.encoder.as_deref(), p.cache, environment, cx)?;
        let base = Self::common(p).base_logit();
        let network = Mlp::new(encoder.dimension, p.hidden as usize, p.dropout, base);
        Ok(Self { encoder, network })
    }

    fn network(&self) -> &Mlp {
        &self.network
    }

    fn encoder(&self) -> Option<&Encoder> {
        Some(&self.encoder)
    }

    fn look(&self, creatives: &[Shown<'_>], cx: &CallContext<'_>) -> Vec<Result<Sight<Features>>> {
        let pictures: Vec<&Image> = creatives.iter().map(|(_, image)| *image).collect();
        let seen = self.encoder.look(&pictures, cx).into_iter();
        seen.map(|seen| seen.map(|(key, seen)| Sight { key, seen })).collect()
    }
}

#[cfg(test)]
impl VisionRanker {
    pub fn encoder_mut(&mut self) -> &mut Encoder {
        &mut self.encoder
    }
}
