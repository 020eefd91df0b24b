//! `vam-reward`: the visual-aware ranking model of Wang et al., "A hybrid bandit model with visual priors for creative ranking in display
//! advertising" (WWW 2021, arXiv 2102.04033), at small size: a convolutional network that learns from the pixels.

use crate::encoder::Encoder;
use crate::network::{Network, Output, Sight};
use crate::nn::{Conv, Layout, Linear, Real, Tape};
use crate::pixels::{Pixels, Shrinker};
use crate::ranker::{Common, Ranker, Shown, within};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Channels after each of the four stages.
const WIDTHS: [usize; 4] = [16, 32, 64, 128];
/// Length of the vector whose mean is the score.
const FEATURES: usize = 32;

/// Parameters of `vam-reward`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VamParameters {
    /// Side in pixels at which a creative is looked at, a multiple of 16. Time grows with its square.
    #[schemars(range(min = 32, max = 256))]
    pub side: u32,
    /// Weight of the squared error of the predicted CTRs in the loss; 0 for none.
    #[schemars(range(min = 0.0, max = 1000000.0))]
    pub point_weight: f64,
    /// The CTR that an untrained model predicts.
    #[schemars(range(min = 0.0001, max = 0.9999))]
    pub base_ctr: f64,
    /// Seed of the initial weights.
    pub seed: u64,
    /// Memory for small pictures, in MiB: an epoch asks for the same pictures again.
    #[schemars(range(max = 65536))]
    pub cache: u32,
}

impl Default for VamParameters {
    fn default() -> Self {
        Self { side: 64, point_weight: 0.5, base_ctr: 0.03, seed: 0, cache: 256 }
    }
}

/// Four convolutions, each of which halves the sides; the mean over pixels; a feature vector, whose mean is the score.
pub struct Vam {
    layout: Layout,
    stages: [Conv; 4],
    features: Linear,
    ctr: Linear,
    side: usize,
}

impl Vam {
    pub fn new(side: usize, base_logit: f64) -> Self {
        let mut layout = Layout::default();
        let stages = std::array::from_fn(|stage| {
            let inputs = if stage == 0 { 3 } else { WIDTHS[stage - 1] };
            layout.conv(&format!("stage{}", stage + 1), inputs, WIDTHS[stage])
        });
        Self {
            stages,
            features: layout.linear("features", WIDTHS[3], FEATURES),
            ctr: layout.head("ctr", 1, 0.1, base_logit),
            side,
            layout,
        }
    }
}

impl Network for Vam {
    type Seen = Pixels;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn forward<T: Real>(&self, tape: &mut Tape<'_, T>, seen: &Pixels) -> Output {
        let mut x = tape.input(seen.iter().map(|v| T::of(f64::from(*v) / 127.5 - 1.0)));
        let mut side = self.side;
        for stage in self.stages {
            let convolved = tape.conv(x, stage, side);
            x = tape.relu(convolved);
            side /= 2;
        }
        let pooled = tape.mean(x, WIDTHS[3]);
        let features = tape.linear(pooled, self.features);
        let strength = tape.mean(features, 1);
        Output { strength, logit: tape.linear(strength, self.ctr) }
    }
}

/// The network, and what makes pictures small.
pub struct VamRanker {
    network: Vam,
    shrinker: Shrinker,
}

impl Ranker for VamRanker {
    const ID: &'static str = "vam-reward";
    type Parameters = VamParameters;
    type Network = Vam;

    fn info() -> ComponentInfo {
        ComponentInfo::new(Self::ID, "VAM, a convolutional ranker that learns from the pixels; small")
    }

    fn common(p: &VamParameters) -> Common {
        Common { seed: p.seed, base_ctr: p.base_ctr, point_weight: p.point_weight }
    }

    fn open(p: &VamParameters, _: &Environment, _: &CallContext<'_>) -> Result<Self> {
        within(Self::ID, "side", f64::from(p.side), 32.0, 256.0)?;
        within(Self::ID, "cache", f64::from(p.cache), 0.0, 65536.0)?;
        if !p.side.is_multiple_of(16) {
            let message = format!("{}: side is {}, it must be a multiple of 16", Self::ID, p.side);
            return Err(PluginError::invalid_parameters(message));
        }
        let network = Vam::new(p.side as usize, Self::common(p).base_logit());
        Ok(Self { network, shrinker: Shrinker::new(p.side, p.cache) })
    }

    fn network(&self) -> &Vam {
        &self.network
    }

    fn encoder(&self) -> Option<&Encoder> {
        None
    }

    fn look(&self, creatives: &[Shown<'_>], cx: &CallContext<'_>) -> Vec<Result<Sight<Pixels>>> {
        let pictures: Vec<&Image> = creatives.iter().map(|(_, image)| *image).collect();
        let seen = self.shrinker.look(&pictures, cx).into_iter();
        seen.map(|seen| seen.map(|(key, seen)| Sight { key, seen })).collect()
    }
}
