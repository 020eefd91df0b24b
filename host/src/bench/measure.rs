//! Measurements of creatives by plugins: the judges, and features.

use super::generate::{Made, batches, cloned, record};
use super::plan::{
    PlannedComponent, PlannedJudge, PlannedProduct, compare_key, encoder_key, features_key, score_key,
};
use super::pump::{Answers, Done, pump};
use super::{Bench, BenchError, Broken, Ledger};
use crate::products::decode_rgb;
use crate::store::{Outcome, Store};
use crate::suite::Metric;
use adeval_sdk::client::{EmbedderClient, RewardClient};
use adeval_sdk::{
    CallContext, EmbedRequest, Embedding, ErrorKind, Image, PairRequest, PluginError, ScoreRequest,
};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Images in one call of an embedder.
pub(super) const EMBED_BATCH: usize = 16;
/// A question to a judge.
pub enum Question<'a> {
    Score { key: String, product: &'a PlannedProduct, image: String },
    Compare { key: String, product: &'a PlannedProduct, left: String, right: String },
}

/// A question with its pixels.
pub enum Asked {
    Score(ScoreRequest),
    Compare(PairRequest),
}

impl Bench<'_> {
    /// Asks a judge whatever it was not asked yet: one call a product.
    pub fn judge(&self, judge: &PlannedJudge<'_>, broken: &mut Broken) -> Result<(), BenchError> {
        let missing = self.ledger().missing_questions(judge);
        let total = missing.iter().map(Vec::len).sum::<usize>();
        if total == 0 {
            return Ok(());
        }
        let Some(open) = self.open(&judge.component, broken)? else { return Ok(()) };
        let id = &judge.judge.id;
        self.services.progress.stage(&format!("judge {id}"), total);
        let client = RewardClient::new(open.endpoint());
        let keep = |done: Vec<Done<Question<'_>, Outcome>>| {
            let records = done.into_iter().map(|(question, result, seconds)| {
                let (Question::Score { key, product, .. } | Question::Compare { key, product, .. }) =
                    question;
                record(key, format!("{id}/{}", product.id), seconds, "judge", result)
            });
            self.store.append(&records.collect::<Vec<_>>())
        };
        pump(
            missing,
            self.services,
            self.clock,
            |questions| self.load_questions(questions),
            |asked, cx| ask(&client, asked, cx),
            keep,
        )?;
        self.check_cancelled()
    }

    /// The pixels of one product's questions; each creative is decoded once and its bytes are shared.
    fn load_questions(&self, questions: &[Question<'_>]) -> Vec<Result<Asked, PluginError>> {
        let mut image = pictures(self.store);
        let asked = questions.iter().map(|question| match question {
            Question::Score { product, image: hash, .. } => {
                let product = product.product()?.clone();
                Ok(Asked::Score(ScoreRequest { product, creative: image(hash)? }))
            }
            Question::Compare { product, left, right, .. } => Ok(Asked::Compare(PairRequest {
                product: product.product()?.clone(),
                left: image(left)?,
                right: image(right)?,
            })),
        });
        asked.collect()
    }

    /// Features of all creatives and of the reference set.
    pub fn embed(&self, broken: &mut Broken) -> Result<(), BenchError> {
        let Some(embedder) = &self.plan.cast.embedder else { return Ok(()) };
        let missing = self.ledger().unembedded(embedder);
        let name_key = encoder_key(embedder);
        if missing.is_empty() && self.store.has(&name_key) {
            return Ok(());
        }
        let Some(open) = self.open(embedder, broken)? else { return Ok(()) };
        let client = EmbedderClient::new(open.endpoint());
        let (info, seconds) = self.clock.time(|| client.describe(&CallContext::detached()));
        match info {
            Ok(info) => {
                let outcome = Ok(Outcome::Encoder(info.name));
                self.store.append(&[record(
                    name_key,
                    embedder.usage.component.clone(),
                    seconds,
                    "embed",
                    outcome,
                )])?;
            }
            Err(error) => {
                broken.push((embedder.user.clone(), error));
                return Ok(());
            }
        }
        self.services.progress.stage("features", missing.len());
        let keep = |done: Vec<Done<(String, PathBuf), Embedding>>| {
            let mut records = Vec::with_capacity(done.len());
            for ((key, path), result, seconds) in done {
                let outcome = match result {
                    Ok(embedding) => {
                        self.store.put_features(&key, &embedding.vector)?;
                        Ok(Outcome::Features(embedding.vector.len()))
                    }
                    Err(error) => Err(error),
                };
                let item = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                records.push(record(key, item, seconds, "embed", outcome));
            }
            self.store.append(&records)
        };
        let load = |items: &[(String, PathBuf)]| items.iter().map(|(_, path)| embed_request(path)).collect();
        let call = |requests: &[&EmbedRequest], cx: &CallContext<'_>| client.embed(&cloned(requests), cx);
        pump(batches(missing, EMBED_BATCH), self.services, self.clock, load, call, keep)?;
        self.check_cancelled()
    }
}

impl<'a> Ledger<'a> {
    /// What a judge was not asked yet, by product and sample.
    pub fn missing_questions(&self, judge: &PlannedJudge<'_>) -> Vec<Vec<Question<'a>>> {
        let wants_pairs = self.plan.suite.wants(Metric::WinRate);
        let wants_scores = self.plan.suite.wants(Metric::PredictedCtr);
        let mut seen = HashSet::new();
        let mut new = |key: &String| !self.store.has(key) && seen.insert(key.clone());
        let mut groups = Vec::new();
        for (_, made) in self.side_by_side() {
            let mut group = Vec::new();
            for (at, a) in made.iter().enumerate() {
                let key = score_key(judge, a.product, &a.image);
                if wants_scores && new(&key) {
                    group.push(Question::Score { key, product: a.product, image: a.image.clone() });
                }
                for (_, b) in made.iter().enumerate().filter(|(other, _)| wants_pairs && *other != at) {
                    let key = compare_key(judge, a.product, &a.image, &b.image);
                    if new(&key) {
                        let (left, right) = (a.image.clone(), b.image.clone());
                        group.push(Question::Compare { key, product: a.product, left, right });
                    }
                }
            }
            groups.push(group);
        }
        groups.retain(|g| !g.is_empty());
        groups
    }

    /// All entries' creatives of one product and sample, in the order of entries.
    fn side_by_side(&self) -> Vec<((String, u32), Vec<Made<'a>>)> {
        let mut by_product: HashMap<(String, u32), Vec<Made<'a>>> = HashMap::new();
        for entry in &self.plan.cast.entries {
            for made in self.creatives(entry) {
                by_product.entry((made.product.id.clone(), made.sample)).or_default().push(made);
            }
        }
        let mut groups: Vec<_> = by_product.into_iter().collect();
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        groups
    }

    /// Creatives and reference images without features, with the keys of the results.
    pub fn unembedded(&self, embedder: &PlannedComponent) -> Vec<(String, PathBuf)> {
        let creatives = self.plan.cast.entries.iter().flat_map(|e| self.creatives(e));
        let files = creatives.map(|made| (self.store.image_path(&made.image), made.image));
        let files = files.chain(self.plan.own_references().cloned());
        let mut seen = HashSet::new();
        let keyed = files.map(|(path, hash)| (features_key(embedder, &hash), path));
        keyed.filter(|(key, _)| !self.store.has(key) && seen.insert(key.clone())).collect()
    }
}

/// Scores in one call and comparisons in another, answers in the order of the questions.
/// Asks a judge a few questions in as few calls as there are kinds.
pub fn ask(client: &RewardClient, asked: &[&Asked], cx: &CallContext<'_>) -> Answers<Outcome> {
    let score = |a: &&Asked| if let Asked::Score(request) = a { Some(request.clone()) } else { None };
    let pair = |a: &&Asked| if let Asked::Compare(request) = a { Some(request.clone()) } else { None };
    let scores: Vec<ScoreRequest> = asked.iter().filter_map(score).collect();
    let pairs: Vec<PairRequest> = asked.iter().filter_map(pair).collect();
    let scores = if scores.is_empty() { Vec::new() } else { client.score(&scores, cx)? };
    let pairs = if pairs.is_empty() { Vec::new() } else { client.compare(&pairs, cx)? };
    let (mut scores, mut pairs) = (scores.into_iter(), pairs.into_iter());
    let lost = || Err(PluginError::violation("the judge gave no answer to this question"));
    let answers = asked.iter().map(|a| match a {
        Asked::Score(_) => scores.next().map_or_else(lost, |s| s.map(|s| Outcome::Score(s.ctr))),
        Asked::Compare(_) => pairs.next().map_or_else(lost, |p| p.map(|p| Outcome::Compare(p.left))),
    });
    Ok(answers.collect())
}

pub(super) fn embed_request(path: &Path) -> Result<EmbedRequest, PluginError> {
    load_rgb(path).map(|rgb| EmbedRequest { image: rgb.into(), spatial: false })
}

/// The pixels of a stored picture.
/// Pictures of a store by their hashes, each decoded once.
pub(crate) fn pictures(store: &Store) -> impl FnMut(&String) -> Result<Image, PluginError> {
    let mut loaded: HashMap<String, Result<Image, PluginError>> = HashMap::new();
    move |hash| {
        let load = || load_rgb(&store.image_path(hash)).map(Image::from);
        loaded.entry(hash.clone()).or_insert_with(load).clone()
    }
}

pub fn load_rgb(path: &Path) -> Result<image::RgbImage, PluginError> {
    let bytes = std::fs::read(path)
        .map_err(|e| PluginError::new(ErrorKind::Io, format!("{} cannot be read: {e}", path.display())))?;
    decode_rgb(&bytes, path).map_err(PluginError::invalid_request)
}
