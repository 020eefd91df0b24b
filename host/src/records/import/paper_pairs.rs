//! Pairs of creatives as the paper makes them from clicks, and the smoothing of click-through rates of VAM.

use crate::records::cell::Cell;
use crate::records::names::Names;
use crate::records::write::{Field, Kind, Writer};
use serde::{Deserialize, Serialize};

/// A Beta prior of click-through rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Smoothing {
    /// Clicks that the prior adds.
    pub alpha: f64,
    /// Impressions without a click that it adds.
    pub beta: f64,
}

/// Which pairs of one item's creatives are kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PairFilter {
    /// Each creative needs more impressions than this.
    pub min_impressions: u64,
    /// Smallest ratio of the higher CTR to the lower.
    pub min_ratio: f64,
    /// Largest ratio.
    pub max_ratio: f64,
    /// Seed of the sides.
    pub seed: u64,
}

/// How many were left after each step of the filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Funnel {
    /// Items.
    pub items: u64,
    /// Their creatives.
    pub creatives: u64,
    /// Of them, with enough impressions.
    pub shown_enough: u64,
    /// Of those, with a click.
    pub clicked: u64,
    /// Pairs of such creatives of one item.
    pub pairs: u64,
    /// Of them, with a ratio of CTRs within the bounds: what was written.
    pub kept: u64,
}

/// A creative with its sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arm {
    pub product: u32,
    pub creative: Box<str>,
    pub impressions: u64,
    pub clicks: u64,
}

impl Arm {
    fn ctr(&self) -> f64 {
        self.clicks as f64 / self.impressions as f64
    }
}

impl Smoothing {
    pub(super) fn ctr(self, arm: &Arm) -> f64 {
        (arm.clicks as f64 + self.alpha) / (arm.impressions as f64 + self.alpha + self.beta)
    }
}

/// Columns of the pairs.
pub(super) fn fields() -> Vec<Field> {
    let text = ["product", "left", "right"].map(|name| Field::new(name, Kind::Text));
    let counts = ["left_clicks", "left_impressions", "right_clicks", "right_impressions"];
    let counts = counts.map(|name| Field::new(name, Kind::Whole));
    let rates = ["left_smoothed_ctr", "right_smoothed_ctr"].map(|name| Field::new(name, Kind::Real));
    text.into_iter().chain(counts).chain(rates).collect()
}

/// Writes the pairs of each item that the filter lets through.
pub(super) fn pairs<'a>(
    items: impl Iterator<Item = Vec<&'a Arm>>,
    names: &Names,
    filter: PairFilter,
    smoothing: Smoothing,
    writer: &mut Writer,
) -> Result<Funnel, String> {
    let mut funnel = Funnel::default();
    for mut arms in items {
        funnel.items += 1;
        funnel.creatives += arms.len() as u64;
        arms.retain(|arm| arm.impressions > filter.min_impressions);
        funnel.shown_enough += arms.len() as u64;
        arms.retain(|arm| arm.clicks > 0);
        funnel.clicked += arms.len() as u64;
        arms.sort_by(|a, b| a.ctr().total_cmp(&b.ctr()).then_with(|| a.creative.cmp(&b.creative)));
        for (at, low) in arms.iter().enumerate() {
            for high in &arms[at + 1..] {
                funnel.pairs += 1;
                let ratio = high.ctr() / low.ctr();
                if ratio >= filter.min_ratio && ratio <= filter.max_ratio {
                    funnel.kept += 1;
                    write(names.name(low.product), low, high, filter.seed, smoothing, writer)?;
                }
            }
        }
    }
    Ok(funnel)
}

fn write(
    product: &str,
    low: &Arm,
    high: &Arm,
    seed: u64,
    smoothing: Smoothing,
    writer: &mut Writer,
) -> Result<(), String> {
    let [left, right] = if heads(seed, product, low, high) { [high, low] } else { [low, high] };
    let whole = |count: u64| Cell::Whole(count as i64);
    writer.row(&[
        Cell::Text(product.into()),
        Cell::Text(left.creative.as_ref().into()),
        Cell::Text(right.creative.as_ref().into()),
        whole(left.clicks),
        whole(left.impressions),
        whole(right.clicks),
        whole(right.impressions),
        Cell::Real(smoothing.ctr(left)),
        Cell::Real(smoothing.ctr(right)),
    ])
}

/// A coin of the pair's own: the side does not depend on which other rows a file has.
fn heads(seed: u64, product: &str, low: &Arm, high: &Arm) -> bool {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for part in [product, &low.creative, &high.creative] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().as_bytes()[0] & 1 == 1
}
