//! A **synthetic** market whose truth is known: shoppers who click on creatives for what is in their pixels.
//!
//! Public click logs do not tell the true CTR of a creative, so a claim such as "training raised it" cannot be checked on
//! them. Here it can. [`Market::true_ctr`] looks at a creative's pixels and at the product; prompts, components and files
//! play no part, so the same pixels earn the same clicks whatever words they came from. [`Market::shop`] draws the log that
//! a shop with this truth would have written. `docs/market.md` has the equations, and says what such a market cannot tell.

mod aisle;
mod ceiling;
mod facts;
mod grid;
mod report;
mod scene;
mod settings;
mod shopper;
#[cfg(test)]
mod tests;
mod traffic;

pub use ceiling::{Expected, PairFilter, expected};
pub use facts::{Band, Facts, Season};
pub use report::{Ceiling, Shown, ceiling};
pub use scene::Scene;
pub use settings::{Preset, Settings};
pub use shopper::{SEGMENTS, segments};
pub use traffic::{Impression, POSITIONS, examination};

use crate::Result;
use crate::bandit::normal;
use adeval_sdk::{Placement, rng};
use grid::Grid;
use image::{ImageBuffer, Rgb};
use scene::AXES;
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// Version of the model: it grows when the same creative gets another truth.
pub const VERSION: &str = "1";

/// From which match on a scene counts as matching its product.
pub const MATCHES: f64 = 0.5;

/// Usual mean of the match of product and scene, and its usual spread between creatives of one product.
const USUAL_MATCH: (f64, f64) = (0.55, 0.21);
/// Standard deviation of what a category's shoppers add to the liking of each axis of a scene.
const TASTE: f64 = 0.25;

/// A market: everything that is drawn in it follows from its settings and its seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Market {
    settings: Settings,
    seed: u64,
}

/// What is true of a creative.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Truth {
    /// The chance that an impression is clicked, over positions and segments.
    pub ctr: f64,
    /// The same of each segment.
    pub by_segment: [f64; SEGMENTS],
    /// Appeal, mean over the product's shoppers: what of the log-odds is due to the creative, before [`Settings::appeal`].
    pub appeal: f64,
    /// How well the scene suits the product, in (0, 1]; it matches from [`MATCHES`] on.
    pub product_match: f64,
    /// What was seen of the pixels.
    pub scene: Scene,
}

impl Market {
    /// A market.
    ///
    /// # Errors
    /// [`crate::EvalError::BadOption`] for settings out of range.
    pub fn new(settings: Settings, seed: u64) -> Result<Self> {
        settings.check()?;
        Ok(Self { settings, seed })
    }

    /// A market with the numbers of a preset.
    pub const fn preset(preset: Preset, seed: u64) -> Self {
        Self { settings: preset.settings(), seed }
    }

    /// Its settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The season that it is in, which products with a season of their own do not heed.
    pub fn season(&self) -> Season {
        Season::ALL[(rng::derive(self.seed, &["market", "season"]) % 4) as usize]
    }

    /// What is true of a creative, from its pixels and where the product lies in it.
    ///
    /// # Errors
    /// [`crate::EvalError::EmptyMask`] when nothing of the product lies on the creative.
    pub fn true_ctr<C>(
        &self,
        facts: &Facts,
        creative: &ImageBuffer<Rgb<u8>, C>,
        placement: &Placement,
    ) -> Result<Truth>
    where
        C: Deref<Target = [u8]>,
    {
        let empty = |error: adeval_sdk::PluginError| crate::EvalError::EmptyMask { reason: error.message };
        let product = facts.cut_out.resample(placement).map_err(empty)?;
        let scene = Scene::of(&Grid::of(creative, &product, placement)?)?;
        Ok(self.truth(facts, scene))
    }

    /// What is true of a creative with these measures.
    fn truth(&self, facts: &Facts, scene: Scene) -> Truth {
        let standard = scene.standard();
        let axes = &standard[..AXES];
        let product_match = facts.aisle.matches(axes);
        let tastes = self.tastes(&facts.category);
        let taste: f64 = tastes.iter().zip(axes).map(|(taste, axis)| taste * axis).sum();
        let season = facts.season.unwrap_or_else(|| self.season()).warmth() * standard[1];
        let matched = (product_match - USUAL_MATCH.0) / USUAL_MATCH.1;
        let base = logit(self.settings.base_ctr / examination::mean()) + self.own(&facts.id);
        let (mut by_segment, mut ctr, mut appeal) = ([0.0; SEGMENTS], 0.0, 0.0);
        for (at, segment) in shopper::ALL.iter().enumerate() {
            let likes: f64 = segment.likes.iter().zip(standard).map(|(like, much)| like * much).sum();
            let liking = likes + taste + segment.likes_match * matched + segment.likes_season * season;
            let log_odds = base + segment.price(facts.band) + self.settings.appeal * liking;
            by_segment[at] = examination::mean() * logistic(log_odds);
            ctr += segment.share(facts.band) * by_segment[at];
            appeal += segment.share(facts.band) * liking;
        }
        Truth { ctr, by_segment, appeal, product_match, scene }
    }

    /// What a category's shoppers add to the liking of each axis of a scene.
    fn tastes(&self, category: &str) -> [f64; AXES] {
        let mut random = rng::seeded(rng::derive(self.seed, &["market", "taste", category]));
        std::array::from_fn(|_| TASTE * normal(&mut random))
    }

    /// A product's own log-odds, whatever its creative.
    fn own(&self, product: &str) -> f64 {
        let mut random = rng::seeded(rng::derive(self.seed, &["market", "product", product]));
        self.settings.product_spread * normal(&mut random)
    }
}

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
