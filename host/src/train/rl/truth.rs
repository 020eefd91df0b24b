//! What a **synthetic** market knows of held-out creatives: its true CTR and how well scenes suit their products. A policy that learns
//! to please the judge alone shows here: the judge's CTR rises, and the true one does not.

use super::Work;
use super::creatives::Draw;
use super::plan::Item;
use crate::bench::load_rgb;
use adeval_eval::market::{Facts, MATCHES, Market, Preset, Truth};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A synthetic market to look at held-out creatives with. Neither the judge nor the policy hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarketLook {
    /// The size of its effects.
    pub preset: Preset,
    /// Its seed.
    #[serde(default)]
    pub seed: u64,
}

impl Work<'_> {
    /// Means over held-out products of the truth of their creatives; products that the market cannot see are left out.
    pub fn truth(&self, draw: Draw, items: &[&Item]) -> Vec<(&'static str, f64)> {
        let Some(MarketLook { preset, seed }) = self.plan.recipe.market else { return Vec::new() };
        let market = Market::preset(preset, seed);
        let of = |item: &&Item| {
            let facts = Facts::of(&item.product).ok()?;
            let truths: Vec<Truth> = self
                .samples(draw, item)
                .iter()
                .filter_map(|sample| {
                    let (image, placement) = self.placed(draw, item, &sample.text)?;
                    let pixels = load_rgb(&self.store.image_path(&image)).ok()?;
                    market.true_ctr(&facts, &pixels, &placement).ok()
                })
                .collect();
            let count = truths.len() as f64;
            let ctr = truths.iter().map(|truth| truth.ctr).sum::<f64>() / count;
            let matched = truths.iter().filter(|truth| truth.product_match >= MATCHES).count() as f64 / count;
            (count > 0.0).then_some((ctr, matched))
        };
        let all: Vec<(f64, f64)> = items.par_iter().filter_map(of).collect();
        let mean = |of: fn(&(f64, f64)) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        if all.is_empty() {
            return Vec::new();
        }
        vec![("held_out/synthetic_true_ctr", mean(|t| t.0)), ("held_out/synthetic_match_rate", mean(|t| t.1))]
    }
}
