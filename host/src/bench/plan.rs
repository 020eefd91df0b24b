//! What a suite amounts to: its components identified, its products read, and the key of every result.

use super::keys::{key, product_hash, weights_hash};
use super::requests::{background_seed, prompt_seed};
use super::{BenchError, Services};
use crate::products::{self, Products};
use crate::store::{ComponentUse, FORMAT_VERSION, RunManifest};
use crate::suite::{Component, Entry, Judge, Metric, Optimizer, Suite};
use adeval_eval::leaderboard::Options;
use adeval_sdk::{Determinism, Environment, Kind, Placement, PluginError, Product};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub struct Plan<'a> {
    pub suite: &'a Suite,
    pub limit: Option<usize>,
    pub products: Vec<PlannedProduct>,
    pub bad: Vec<products::BadProduct>,
    pub entries: Vec<PlannedEntry<'a>>,
    pub judges: Vec<PlannedJudge<'a>>,
    pub optimizers: Vec<PlannedOptimizer<'a>>,
    pub embedder: Option<PlannedComponent>,
    /// Files of the reference set with the hash of their bytes.
    pub references: Vec<(PathBuf, String)>,
    /// What a reader of the board must know.
    pub notes: Vec<String>,
}

pub struct PlannedProduct {
    pub product: Product,
    pub hash: String,
}

pub struct PlannedEntry<'a> {
    pub entry: &'a Entry,
    pub prompt: PlannedComponent,
    pub background: PlannedComponent,
}

pub struct PlannedJudge<'a> {
    pub judge: &'a Judge,
    pub component: PlannedComponent,
}

pub struct PlannedOptimizer<'a> {
    pub optimizer: &'a Optimizer,
    pub component: PlannedComponent,
}

/// A component at its place in the suite.
pub struct PlannedComponent {
    pub kind: Kind,
    /// The place, for people: `entry "a": prompt`.
    pub user: String,
    pub environment: Environment,
    pub usage: ComponentUse,
}

impl PlannedComponent {
    pub fn new(
        suite: &Suite,
        kind: Kind,
        user: String,
        component: &Component,
        services: &Services<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Self, BenchError> {
        let parameters = serde_json::Value::Object(component.parameters.clone());
        let failed = |error| BenchError::Plugin { user: user.clone(), error };
        let identity = services.plugins.identify(kind, &component.plugin, &parameters).map_err(failed)?;
        let weights = component.weights.as_ref().map(|path| suite.resolve(path));
        let weights_key = match &weights {
            None => String::new(),
            Some(path) => weights_hash(path).map_err(|e| {
                let message = format!("the weights {} cannot be read: {e}", path.display());
                failed(PluginError::new(adeval_sdk::ErrorKind::MissingWeights, message))
            })?,
        };
        if identity.determinism == Determinism::None {
            notes.push(format!(
                "{} does not promise to repeat itself: another run may differ.",
                component.plugin
            ));
        }
        let fingerprint = key(&[
            &identity.library_hash,
            &component.plugin,
            &parameters.to_string(),
            &component.device,
            &weights_key,
        ]);
        Ok(Self {
            kind,
            user,
            environment: Environment { device: component.device.clone(), weights },
            usage: ComponentUse {
                component: component.plugin.clone(),
                library: identity.library,
                version: identity.version,
                library_hash: identity.library_hash,
                license: identity.license,
                parameters,
                fingerprint,
            },
        })
    }
}

impl<'a> Plan<'a> {
    pub fn new(suite: &'a Suite, limit: Option<usize>, services: &Services<'_>) -> Result<Self, BenchError> {
        let mut notes = suite.notes.clone();
        let mut component = |kind, user, used: &Component| {
            PlannedComponent::new(suite, kind, user, used, services, &mut notes)
        };
        let mut entries = Vec::new();
        for entry in &suite.entries {
            let user = |step| format!("entry \"{}\": {step}", entry.id);
            entries.push(PlannedEntry {
                entry,
                prompt: component(Kind::PromptGenerator, user("prompt"), &entry.prompt.component())?,
                background: component(
                    Kind::BackgroundGenerator,
                    user("background"),
                    &entry.background.component(),
                )?,
            });
        }
        let mut judges = Vec::new();
        if suite.wants(Metric::WinRate) || suite.wants(Metric::PredictedCtr) {
            for judge in &suite.judges {
                let user = format!("judge \"{}\"", judge.id);
                judges.push(PlannedJudge {
                    judge,
                    component: component(Kind::RewardModel, user, &judge.component())?,
                });
            }
        }
        let mut optimizers = Vec::new();
        for optimizer in &suite.optimizers {
            let user = format!("optimizer \"{}\"", optimizer.id);
            optimizers.push(PlannedOptimizer {
                optimizer,
                component: component(Kind::RlOptimizer, user, &optimizer.component())?,
            });
        }
        let mut embedder = None;
        let mut references = Vec::new();
        if suite.wants(Metric::FrechetDistance)
            && let (Some(used), Some(reference)) = (&suite.embedder, &suite.reference)
        {
            embedder = Some(component(Kind::ImageEmbedder, "embedder".into(), used)?);
            references = read_references(&suite.resolve(&reference.path))?;
        }
        let source = suite.resolve(&suite.products.path);
        let limit = limit.or(suite.products.limit);
        let Products { good, bad, warnings } = if entries.is_empty() {
            Products::default()
        } else {
            products::load(&source, limit, services.matting)?
        };
        bad.iter().for_each(|b| services.progress.warn(&format!("{}; it is left out", b.message)));
        warnings.iter().for_each(|w| services.progress.warn(w));
        if !bad.is_empty() {
            notes.push(format!("{} of {} products cannot be used.", bad.len(), bad.len() + good.len()));
        }
        if !warnings.is_empty() {
            notes.push(format!(
                "{} products came without alpha and were cut out by a network.",
                warnings.len()
            ));
        }
        let hashed = |product: Product| PlannedProduct { hash: product_hash(&product), product };
        let products = good.into_iter().map(hashed).collect();
        Ok(Self { suite, limit, products, bad, entries, judges, optimizers, embedder, references, notes })
    }

    /// `<suite>-<8 hex of all that the creatives depend on>`: metrics and judges may change within a run.
    pub fn run_name(&self) -> String {
        let suite = self.suite;
        let mut parts = vec![format!("{} {:?} {}", suite.seed, suite.size, suite.samples)];
        for e in &self.entries {
            parts.push(e.entry.id.clone());
            parts.push(format!("{:?} {:?}", e.entry.prompt, e.entry.background));
            parts.push(e.prompt.usage.fingerprint.clone());
            parts.push(e.background.usage.fingerprint.clone());
        }
        parts.extend(self.products.iter().map(|p| p.hash.clone()));
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        format!("{}-{}", suite.name, &key(&parts)[..8])
    }

    pub fn manifest(&self) -> RunManifest {
        let entries = self.entries.iter().flat_map(|e| [&e.prompt, &e.background]);
        let used = entries.chain(self.judges.iter().map(|j| &j.component)).chain(&self.embedder);
        let used = used.chain(self.optimizers.iter().map(|o| &o.component));
        RunManifest {
            format_version: FORMAT_VERSION,
            adeval_version: env!("CARGO_PKG_VERSION").into(),
            suite: self.suite.name.clone(),
            suite_file: std::path::absolute(&self.suite.file).unwrap_or_else(|_| self.suite.file.clone()),
            suite_text: self.suite.text.clone(),
            limit: self.limit,
            seed: self.suite.seed,
            components: used.map(|c| (c.user.clone(), c.usage.clone())).collect(),
            products: self.products.iter().map(|p| (p.product.id.clone(), p.hash.clone())).collect(),
            unusable_products: self
                .bad
                .iter()
                .map(|b| (b.id.clone(), b.message.clone()))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    pub fn board_options(&self) -> Options {
        Options {
            seed: self.suite.seed,
            resamples: self.suite.resamples,
            level: self.suite.level,
            primary_judge: self.judges.first().map(|j| j.judge.id.clone()),
            ..Options::default()
        }
    }

    pub fn prompt_key(&self, entry: &PlannedEntry<'_>, product: &PlannedProduct) -> String {
        let p = &entry.entry.prompt;
        let settings = format!("{} {:?} {:?} {}", self.suite.samples, p.temperature, p.top_p, p.max_tokens);
        let seed = prompt_seed(self.suite, &product.product).to_string();
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
        let seed = background_seed(self.suite, &product.product, sample).to_string();
        let fingerprint = &entry.background.usage.fingerprint;
        key(&["creative", fingerprint, &product.hash, prompt, &b.negative_prompt, &settings, &seed])
    }
}

/// Version of the fidelity metric; it grows when the same image gives another number.
const FIDELITY_VERSION: &str = "1";

pub fn fidelity_key(product: &PlannedProduct, image: &str, placement: &Placement) -> String {
    key(&["fidelity", FIDELITY_VERSION, &product.hash, image, &format!("{placement:?}")])
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
