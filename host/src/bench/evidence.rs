//! From the store's records to the board's evidence.

use super::generate::Made;
use super::pixels::PixelMeasure;
use super::plan::{PlannedEntry, PlannedJudge, compare_key, encoder_key, features_key, score_key};
use super::{Broken, Ledger};
use crate::store::Outcome;
use crate::suite::Metric;
use adeval_eval::leaderboard::{
    Comparison, Consistent, EntryEvidence, Evidence, Failure, Item, JudgeEvidence, ReferenceFeatures, Score,
};
use adeval_sdk::PluginError;
use std::collections::BTreeMap;

/// The entries' creatives, by the index of the entry.
type AllMade<'a> = Vec<Vec<Made<'a>>>;

impl Ledger<'_> {
    /// Everything that the board is made of; the same records give the same evidence, whatever their order.
    pub fn evidence(&self, broken: &Broken) -> Evidence {
        let made: AllMade<'_> = self.plan.cast.entries.iter().map(|e| self.creatives(e)).collect();
        let mut notes = self.plan.notes();
        let encoder = self.encoder();
        let mut entries = Vec::new();
        for (entry, made) in self.plan.cast.entries.iter().zip(&made) {
            entries.push(self.entry(entry, made, encoder.as_deref(), broken));
        }
        let mut judges = Vec::new();
        for judge in &self.plan.cast.judges {
            judges.push(self.judge_evidence(judge, &made, &mut entries));
        }
        let of_rows: Vec<&str> = self
            .plan
            .cast
            .entries
            .iter()
            .flat_map(|e| [e.prompt.user.as_str(), e.background.user.as_str()])
            .chain(self.plan.cast.optimizers.iter().map(|o| o.component.user.as_str()))
            .collect();
        let others = broken.iter().filter(|(user, _)| !of_rows.contains(&user.as_str()));
        notes.extend(others.map(|(user, error)| format!("{user} could not be opened: {error}")));
        let good = self.plan.products.iter().map(|p| p.id.clone());
        let products = good.chain(self.plan.bad.iter().map(|b| b.id.clone())).collect();
        let references = encoder.map(|name| self.references(name, &mut notes)).unwrap_or_default();
        Evidence { title: self.plan.suite.name.clone(), products, entries, judges, references, notes }
    }

    /// Name of the embedder.
    pub fn encoder(&self) -> Option<String> {
        let embedder = self.plan.cast.embedder.as_ref()?;
        match self.store.get(&encoder_key(embedder))?.outcome {
            Outcome::Encoder(name) => Some(name),
            _ => None,
        }
    }

    fn failure(&self, key: &str) -> Option<(String, PluginError)> {
        match self.store.get(key)?.outcome {
            Outcome::Failed { stage, error } => Some((stage, error)),
            _ => None,
        }
    }

    fn entry(
        &self,
        entry: &PlannedEntry<'_>,
        made: &[Made<'_>],
        encoder: Option<&str>,
        broken: &Broken,
    ) -> EntryEvidence {
        let samples = self.plan.suite.samples;
        let mut failures = Vec::new();
        for (stage, component) in [("prompt", &entry.prompt), ("background", &entry.background)] {
            let opened = broken.iter().filter(|(user, _)| *user == component.user);
            failures.extend(opened.map(|(_, error)| fail("", 0, stage, error)));
        }
        for bad in &self.plan.bad {
            let all = (0..samples).map(|sample| Failure {
                product: bad.id.clone(),
                sample,
                stage: "product".into(),
                message: bad.message.clone(),
            });
            failures.extend(all);
        }
        for product in &self.plan.products {
            let id = &product.id;
            if let Some((stage, error)) = self.failure(&self.plan.prompt_key(entry, product)) {
                failures.extend((0..samples).map(|sample| fail(id, sample, &stage, &error)));
            }
            for (sample, prompt) in (0..).zip(self.prompts(entry, product).0) {
                let key = self.plan.creative_key(entry, product, sample, &prompt);
                failures.extend(self.failure(&key).map(|(stage, error)| fail(id, sample, &stage, &error)));
            }
        }
        let items = made.iter().map(|m| self.item(m, encoder, &mut failures)).collect();
        let count = self.plan.products.len() + self.plan.bad.len();
        EntryEvidence {
            id: entry.entry.id.clone(),
            description: entry.entry.description.clone(),
            planned: count * samples as usize,
            items,
            failures,
            peak_memory_bytes: self.memory(entry),
        }
    }

    fn item(&self, made: &Made<'_>, encoder: Option<&str>, failures: &mut Vec<Failure>) -> Item {
        let id = &made.product.id;
        let mut note = |key: &str| {
            failures.extend(self.failure(key).map(|(stage, error)| fail(id, made.sample, &stage, &error)));
        };
        let (mut fidelity, mut consistency) = (None, None);
        for measure in PixelMeasure::wanted(self.plan.suite) {
            let key = self.pixel_key(measure, made);
            note(&key);
            match self.store.get(&key).map(|record| record.outcome) {
                Some(Outcome::Fidelity(value)) => fidelity = value,
                Some(Outcome::Consistency(Some(found))) => {
                    consistency = Some(Consistent { score: found.score, available: found.verdict.available });
                }
                _ => {}
            }
        }
        let mut features = BTreeMap::new();
        if let (Some(embedder), Some(name)) = (&self.plan.cast.embedder, encoder) {
            let key = features_key(embedder, &made.image);
            note(&key);
            if let Some(vector) = self.vector(&key) {
                features.insert(name.to_owned(), vector);
            }
        }
        Item {
            product: id.clone(),
            sample: made.sample,
            seconds: made.seconds,
            fidelity,
            consistency,
            features,
        }
    }

    /// A feature vector that has a record: a file without one may be of a run that was cut off.
    fn vector(&self, key: &str) -> Option<Vec<f32>> {
        matches!(self.store.get(key)?.outcome, Outcome::Features(_)).then(|| self.store.features(key))?
    }

    fn judge_evidence(
        &self,
        judge: &PlannedJudge<'_>,
        made: &AllMade<'_>,
        entries: &mut [EntryEvidence],
    ) -> JudgeEvidence {
        let mut evidence = JudgeEvidence { id: judge.judge.id.clone(), ..JudgeEvidence::default() };
        let ids: Vec<&str> = self.plan.cast.entries.iter().map(|e| e.entry.id.as_str()).collect();
        let index = |m: &Made<'_>| (m.product.id.clone(), m.sample);
        let by_item: Vec<BTreeMap<_, &Made<'_>>> =
            made.iter().map(|all| all.iter().map(|m| (index(m), m)).collect()).collect();
        for (left, all) in made.iter().enumerate() {
            for m in all {
                let (product, sample) = index(m);
                let mut failed: Vec<String> = Vec::new();
                if self.plan.suite.wants(Metric::PredictedCtr) {
                    let key = score_key(judge, m.product, &m.image);
                    if let Some(Outcome::Score(ctr)) = self.store.get(&key).map(|r| r.outcome) {
                        let entry = ids[left].to_owned();
                        evidence.scores.push(Score { entry, product: product.clone(), sample, ctr });
                    }
                    failed.push(key);
                }
                for (right, others) in by_item.iter().enumerate() {
                    let Some(other) = others.get(&(product.clone(), sample)) else { continue };
                    if right == left || !self.plan.suite.wants(Metric::WinRate) {
                        continue;
                    }
                    let key = compare_key(judge, m.product, &m.image, &other.image);
                    if let Some(Outcome::Compare(p_left)) = self.store.get(&key).map(|r| r.outcome) {
                        let (left, right) = (ids[left].to_owned(), ids[right].to_owned());
                        evidence.comparisons.push(Comparison {
                            product: product.clone(),
                            sample,
                            left,
                            right,
                            p_left,
                        });
                    }
                    failed.push(key);
                }
                let errors = failed.iter().filter_map(|key| self.failure(key));
                entries[left].failures.extend(errors.map(|(stage, e)| fail(&product, sample, &stage, &e)));
            }
        }
        evidence
    }

    fn references(&self, encoder: String, notes: &mut Vec<String>) -> Vec<ReferenceFeatures> {
        let Some(embedder) = &self.plan.cast.embedder else { return Vec::new() };
        let all = self.plan.own_references();
        let rows: Vec<_> = all.filter_map(|(_, hash)| self.vector(&features_key(embedder, hash))).collect();
        if rows.len() < self.plan.references.len() {
            notes.push(format!(
                "{} of {} reference images could not be embedded.",
                self.plan.references.len() - rows.len(),
                self.plan.references.len()
            ));
        }
        if rows.len() < 2 { Vec::new() } else { vec![ReferenceFeatures { encoder, rows }] }
    }
}

fn fail(product: &str, sample: u32, stage: &str, error: &PluginError) -> Failure {
    Failure { product: product.into(), sample, stage: stage.into(), message: error.to_string() }
}
