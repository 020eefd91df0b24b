//! What a suite amounts to: its components identified, its products read, and the key of every result.

mod cast;
mod recorded;

use super::keys::{key, product_hash};
use super::requests::{background_seed, prompt_seed};
use super::{BenchError, Services, Shard};
use crate::consistency::ConsistencyOptions;
use crate::products::{self, Listing, Products};
use crate::store::{FORMAT_VERSION, ProductList, RunManifest};
use crate::suite::Suite;
use adeval_eval::leaderboard::Options;
use adeval_sdk::{Placement, PluginError, Product};
pub use cast::{Cast, PlannedComponent, PlannedEntry, PlannedJudge, PlannedOptimizer};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub struct Plan<'a> {
    pub suite: &'a Suite,
    pub limit: Option<usize>,
    /// The part of the suite that is planned; all of it when absent.
    pub shard: Option<Shard>,
    pub products: Vec<PlannedProduct>,
    pub bad: Vec<products::BadProduct>,
    /// Ids of both, in the order of the list.
    pub order: Vec<String>,
    /// The list that a shard takes its products from.
    pub list: ProductList,
    /// Products that were cut out by a network.
    pub cut_out: usize,
    pub cast: Cast<'a>,
    /// Files of the whole reference set with the hash of their bytes.
    pub references: Vec<(PathBuf, String)>,
}

pub struct PlannedProduct {
    pub id: String,
    pub hash: String,
    /// Absent where only records are read.
    pub product: Option<Product>,
}

impl PlannedProduct {
    fn new(product: Product) -> Self {
        Self { id: product.id.clone(), hash: product_hash(&product), product: Some(product) }
    }

    /// Its data and pixels.
    pub fn product(&self) -> Result<&Product, PluginError> {
        let none = || PluginError::invalid_request(format!("product \"{}\" was not read", self.id));
        self.product.as_ref().ok_or_else(none)
    }
}

impl<'a> Plan<'a> {
    pub fn new(
        suite: &'a Suite,
        limit: Option<usize>,
        shard: Option<Shard>,
        services: &Services<'_>,
    ) -> Result<Self, BenchError> {
        let cast =
            Cast::new(suite, |kind, user, used| PlannedComponent::new(suite, kind, user, used, services))?;
        let references = match &suite.reference {
            Some(reference) if cast.embedder.is_some() => read_references(&suite.resolve(&reference.path))?,
            _ => Vec::new(),
        };
        let mut plan = Self {
            suite,
            limit: limit.or(suite.products.limit),
            shard,
            products: Vec::new(),
            bad: Vec::new(),
            order: Vec::new(),
            list: ProductList::default(),
            cut_out: 0,
            cast,
            references,
        };
        if !plan.cast.entries.is_empty() {
            plan.read_products(services)?;
        }
        Ok(plan)
    }

    fn read_products(&mut self, services: &Services<'_>) -> Result<(), BenchError> {
        let source = self.suite.resolve(&self.suite.products.path);
        let listing = Listing::of(&source, self.limit)?;
        self.list = ProductList { count: listing.len(), digest: listing.digest() };
        let own = listing.at(|position| self.takes(position));
        self.order = own.ids();
        let Products { good, bad, warnings } = own.read(services.matting);
        bad.iter().for_each(|b| services.progress.warn(&format!("{}; it is left out", b.message)));
        warnings.iter().for_each(|w| services.progress.warn(w));
        // Other shards may have usable ones.
        if let (None, true, Some(first)) = (self.shard, good.is_empty(), bad.first()) {
            return Err(products::none_usable(&source.display().to_string(), bad.len(), &first.message));
        }
        self.cut_out = warnings.len();
        self.products = good.into_iter().map(PlannedProduct::new).collect();
        self.bad = bad;
        Ok(())
    }

    /// Whether what stands at this position of a list is planned here.
    fn takes(&self, position: usize) -> bool {
        self.shard.is_none_or(|shard| shard.takes(position))
    }

    /// Numbers of the bandit's seeds.
    pub fn seeds(&self) -> impl Iterator<Item = u32> {
        (0..self.suite.bandit.seeds).filter(|number| self.takes(*number as usize))
    }

    /// The reference images that are to be embedded here.
    pub fn own_references(&self) -> impl Iterator<Item = &(PathBuf, String)> {
        let all = self.references.iter().enumerate();
        all.filter(|(position, _)| self.takes(*position)).map(|(_, reference)| reference)
    }

    /// What a reader of the board must know.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.suite.notes.clone();
        notes.extend(self.cast.all().filter_map(PlannedComponent::caveat));
        if !self.bad.is_empty() {
            notes.push(format!("{} of {} products cannot be used.", self.bad.len(), self.order.len()));
        }
        if self.cut_out > 0 {
            notes
                .push(format!("{} products came without alpha and were cut out by a network.", self.cut_out));
        }
        notes
    }

    /// `<suite>-<8 hex of all that the creatives depend on>`: metrics and judges may change within a run. All shards of
    /// a suite have the same 8; `-<index>-of-<count>` follows them.
    pub fn run_name(&self) -> String {
        let suite = self.suite;
        let mut parts = vec![format!("{} {:?} {}", suite.seed, suite.size, suite.samples)];
        for e in &self.cast.entries {
            parts.push(e.entry.id.clone());
            parts.push(format!("{:?} {:?}", e.entry.prompt, e.entry.background));
            parts.push(e.prompt.usage.fingerprint.clone());
            parts.push(e.background.usage.fingerprint.clone());
        }
        match self.shard {
            // A shard has not seen the pixels of the others.
            Some(_) => parts.push(self.list.digest.clone()),
            None => parts.extend(self.products.iter().map(|p| p.hash.clone())),
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let name = format!("{}-{}", suite.name, &key(&parts)[..8]);
        self.shard.map_or(name.clone(), |Shard { index, count }| format!("{name}-{index}-of-{count}"))
    }

    pub fn manifest(&self) -> RunManifest {
        RunManifest {
            format_version: FORMAT_VERSION,
            adeval_version: env!("CARGO_PKG_VERSION").into(),
            suite: self.suite.name.clone(),
            suite_file: std::path::absolute(&self.suite.file).unwrap_or_else(|_| self.suite.file.clone()),
            suite_text: self.suite.text.clone(),
            limit: self.limit,
            shard: self.shard,
            seed: self.suite.seed,
            components: self.cast.all().map(|c| (c.user.clone(), c.usage.clone())).collect(),
            products: self.products.iter().map(|p| (p.id.clone(), p.hash.clone())).collect(),
            unusable_products: self
                .bad
                .iter()
                .map(|b| (b.id.clone(), b.message.clone()))
                .collect::<BTreeMap<_, _>>(),
            product_order: self.order.clone(),
            product_list: self.list.clone(),
            cut_out: self.cut_out,
            references: self.references.iter().map(|(_, hash)| hash.clone()).collect(),
        }
    }

    pub fn board_options(&self) -> Options {
        Options {
            seed: self.suite.seed,
            resamples: self.suite.resamples,
            level: self.suite.level,
            primary_judge: self.cast.judges.first().map(|j| j.judge.id.clone()),
            distances: self.suite.distances(),
            ..Options::default()
        }
    }

    pub fn prompt_key(&self, entry: &PlannedEntry<'_>, product: &PlannedProduct) -> String {
        let p = &entry.entry.prompt;
        let settings = format!("{} {:?} {:?} {}", self.suite.samples, p.temperature, p.top_p, p.max_tokens);
        let seed = prompt_seed(self.suite, &product.id).to_string();
        key(&["prompt", &entry.prompt.usage.fingerprint, &product.hash, &settings, &seed])
    }

    /// The key of what an optimizer makes of one seed.
    pub fn optimizer_key(&self, planned: &PlannedOptimizer<'_>, number: u32) -> String {
        let settings = format!(
            "{} {:?} {}",
            self.suite.seed, planned.optimizer.learning_rate, self.suite.bandit.creatives
        );
        let fingerprint = &planned.component.usage.fingerprint;
        key(&["optimizer", adeval_eval::bandit::VERSION, fingerprint, &settings, &number.to_string()])
    }

    pub fn creative_key(
        &self,
        entry: &PlannedEntry<'_>,
        product: &PlannedProduct,
        sample: u32,
        prompt: &str,
    ) -> String {
        let b = &entry.entry.background;
        let settings =
            format!("{:?} {:?} {:?} {:?}", self.suite.size, b.steps, b.guidance, b.control_strength);
        let seed = background_seed(self.suite, &product.id, sample).to_string();
        let fingerprint = &entry.background.usage.fingerprint;
        key(&["creative", fingerprint, &product.hash, prompt, &b.negative_prompt, &settings, &seed])
    }
}

/// Version of the fidelity metric; it grows when the same image gives another number.
const FIDELITY_VERSION: &str = "1";

pub fn fidelity_key(product: &PlannedProduct, image: &str, placement: &Placement) -> String {
    key(&["fidelity", FIDELITY_VERSION, &product.hash, image, &format!("{placement:?}")])
}

/// Version of the consistency metric, as above.
const CONSISTENCY_VERSION: &str = "1";

pub fn consistency_key(
    options: &ConsistencyOptions,
    product: &PlannedProduct,
    image: &str,
    placement: &Placement,
) -> String {
    let settings = format!("{options:?}");
    key(&["consistency", CONSISTENCY_VERSION, &settings, &product.hash, image, &format!("{placement:?}")])
}

pub fn score_key(judge: &PlannedJudge<'_>, product: &PlannedProduct, image: &str) -> String {
    key(&["score", &judge.component.usage.fingerprint, &product.hash, image])
}

pub fn compare_key(judge: &PlannedJudge<'_>, product: &PlannedProduct, left: &str, right: &str) -> String {
    key(&["compare", &judge.component.usage.fingerprint, &product.hash, left, right])
}

pub fn features_key(embedder: &PlannedComponent, image: &str) -> String {
    key(&["features", &embedder.usage.fingerprint, image])
}

pub fn encoder_key(embedder: &PlannedComponent) -> String {
    key(&["encoder", &embedder.usage.fingerprint])
}

fn read_references(folder: &std::path::Path) -> Result<Vec<(PathBuf, String)>, BenchError> {
    let wrong = |reason: String| {
        BenchError::Reference(format!("{}: the reference set cannot be used: {reason}", folder.display()))
    };
    let mut files = products::image_files(folder).map_err(|e| wrong(format!("{e}; check the path")))?;
    files.sort();
    if files.len() < 2 {
        return Err(wrong(format!("it holds {} images; a distribution needs at least 2", files.len())));
    }
    let hash = |file: PathBuf| match std::fs::read(&file) {
        Ok(bytes) => Ok((file, blake3::hash(&bytes).to_hex().to_string())),
        Err(e) => Err(wrong(format!("{} cannot be read: {e}", file.display()))),
    };
    files.into_iter().map(hash).collect()
}
