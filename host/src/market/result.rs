//! What a market says of itself: one part for everyone, one that no model may see.

use super::publish::Stall;
use super::sales::{POLICIES, RANKING, Sales};
use super::{DESIGNS, MarketError, MarketJob, SYNTHETIC, TOTALS, pairs};
use crate::bench::BenchError;
use adeval_eval::market::{Ceiling, Preset, Season, Settings, VERSION};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What `adeval market --json` prints.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MarketResult {
    /// Folder of all files.
    pub out: String,
    /// Creatives that could not be made.
    pub failed: u64,
    /// Products that could not be used.
    pub unusable_products: u64,
    /// `market.json`: what models may know.
    pub market: MarketFile,
    /// `truth/truth.json`: what no model may see.
    pub truth: TruthFile,
}

/// `market.json`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MarketFile {
    /// That the clicks are simulated.
    pub synthetic: String,
    /// Version of the shoppers; another one gives the same creative another truth.
    pub version: String,
    /// The preset that the settings started from.
    pub preset: Preset,
    /// The settings.
    pub settings: Settings,
    /// Seed of prompts, creatives, shoppers and traffic.
    pub seed: u64,
    /// Where the products were read from.
    pub products_from: String,
    /// Products on sale.
    pub products: u64,
    /// Ids of the entries that made the creatives.
    pub entries: Vec<String>,
    /// Creatives on sale.
    pub creatives: u64,
    /// Impressions in the log.
    pub impressions: u64,
    /// Clicks in the log.
    pub clicks: u64,
    /// Pairs that the paper's filter takes.
    pub pairs: u64,
    /// Tables with the BLAKE3 of their bytes.
    pub files: BTreeMap<String, String>,
}

/// `truth/truth.json`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TruthFile {
    /// That the clicks are simulated.
    pub synthetic: String,
    /// The market's season.
    pub season: Season,
    /// Standard deviation of appeal between creatives of one product; absent where no product has two.
    pub appeal_spread: Option<f64>,
    /// Best possible accuracy over pairs of the paper's filter: more than 1000 impressions and a click each, a ratio of CTRs
    /// from 1.05 to 1.20.
    pub paper_pairs: Ceiling,
    /// The same over all pairs.
    pub all_pairs: Ceiling,
    /// Match of product and scene.
    pub product_match: Match,
    /// True values of policies.
    pub values: Values,
}

/// How well scenes suit products, from 0 to 1; a scene matches from 0.5 on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Match {
    /// Mean over creatives.
    pub mean: Option<f64>,
    /// Share of the creatives that match.
    pub rate: Option<f64>,
    /// Mean over creatives and products of other categories: chance. Absent with one category.
    pub mean_of_others: Option<f64>,
    /// Share of those that match.
    pub rate_of_others: Option<f64>,
}

/// True CTR of policies over the log's products, each weighing as much as it was shown.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Values {
    /// Of the policy that wrote the log.
    pub logging: f64,
    /// Of showing every creative of a product equally often.
    pub uniform: f64,
    /// Of showing the best creative of each product.
    pub best: f64,
    /// Of showing the worst.
    pub worst: f64,
}

/// `market.json` of what was written.
pub fn describe(
    job: &MarketJob,
    stalls: &[Stall],
    sales: &Sales,
    pairs: u64,
) -> Result<MarketFile, MarketError> {
    let arms = || sales.iter().flatten();
    let source = job.suite.resolve(&job.suite.products.path);
    let mut files = BTreeMap::new();
    let tables =
        ["creatives.csv", job.log.file(), RANKING, TOTALS, POLICIES, pairs::PAIRS, pairs::LABELLED, DESIGNS];
    for name in tables {
        let path = job.out.join(name);
        let mut hasher = blake3::Hasher::new();
        hasher
            .update_reader(std::fs::File::open(&path).map_err(BenchError::write(&path))?)
            .map_err(BenchError::write(&path))?;
        files.insert(name.to_owned(), hasher.finalize().to_hex().to_string());
    }
    Ok(MarketFile {
        synthetic: SYNTHETIC.into(),
        version: VERSION.into(),
        preset: job.preset,
        settings: *job.market.settings(),
        seed: job.market.seed(),
        products_from: std::path::absolute(&source).unwrap_or(source).display().to_string(),
        products: stalls.iter().filter(|stall| !stall.goods.is_empty()).count() as u64,
        entries: job.suite.entries.iter().map(|entry| entry.id.clone()).collect(),
        creatives: arms().count() as u64,
        impressions: arms().map(|arm| arm.impressions).sum(),
        clicks: arms().map(|arm| arm.clicks).sum(),
        pairs,
        files,
    })
}

/// The products that a market was made with.
///
/// # Errors
/// [`BenchError::Read`] when this is no market.
pub fn products_of(market: &Path) -> Result<PathBuf, BenchError> {
    let path = market.join("market.json");
    let unread = |reason: String| BenchError::Read { path: path.clone(), reason };
    let bytes = std::fs::read(&path).map_err(|e| {
        unread(format!("it cannot be read: {e}; make a market with `adeval market --out FOLDER`"))
    })?;
    let file: MarketFile = serde_json::from_slice(&bytes)
        .map_err(|e| unread(format!("this is no market's description: {e}; make the market anew")))?;
    Ok(file.products_from.into())
}

/// `README.md` of a market's folder.
pub fn readme(job: &MarketJob) -> String {
    let log = job.log.file();
    format!(
        "\
# A synthetic market

**{SYNTHETIC}**

The pictures were made by real plugins from the products that `market.json` names. Shoppers, impressions and clicks are drawn
from the seed by the model that `docs/market.md` of adeval defines.

| file | holds |
|---|---|
| `market.json` | settings, seed, counts, hashes; it comes last, and without it the folder is not whole |
| `creatives.csv`, `creatives/` | each creative's picture, entry, prompt and placement |
| `{log}` | every impression with its propensity: `adeval eval ope {log} --policy {POLICIES}` |
| `{POLICIES}` | the logging policy and the uniform one |
| `{TOTALS}` | impressions and clicks of each creative: `adeval eval ranking {TOTALS}`, `adeval train reward --market FOLDER` |
| `{RANKING}` | item, image, day, impressions, clicks: `adeval data import creative-ranking {RANKING} --out days.csv` |
| `{pairs}` | pairs by the paper's filter, for a judge's answers |
| `{labelled}`, `pairs/` | the same pairs as pictures side by side, in the layout of the paper's reward model |
| `{DESIGNS}` | prompts whose scenes suit their products, as a designer would keep: `adeval train pretrain --market FOLDER` |
| `truth/` | what is true. **No model may see it** |
",
        pairs = pairs::PAIRS,
        labelled = pairs::LABELLED,
    )
}
