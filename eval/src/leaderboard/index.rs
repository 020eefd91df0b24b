//! The evidence checked, sorted by id, and numbered: from here on nothing depends on how it was listed.

use super::{Cost, Evidence, Failure, Item, JudgeEvidence, ReferenceFeatures};
use crate::statistics::check_probability;
use crate::{ClusterTable, EvalError, Preferences, Question, Result};
use std::collections::BTreeMap;

/// A value of (entry, product).
pub type Value = (usize, usize, f64);

pub struct Index<'a> {
    pub products: Vec<&'a str>,
    pub entries: Vec<IndexedEntry<'a>>,
    pub judges: Vec<IndexedJudge<'a>>,
    pub references: Vec<&'a ReferenceFeatures>,
}

pub struct IndexedEntry<'a> {
    pub id: &'a str,
    pub description: &'a str,
    pub planned: usize,
    /// Sorted by product and sample, with the product's number.
    pub items: Vec<(usize, &'a Item)>,
    pub failures: &'a [Failure],
    pub cost: Cost,
}

pub struct IndexedJudge<'a> {
    pub id: &'a str,
    pub scores: Vec<Value>,
    evidence: &'a JudgeEvidence,
}

impl<'a> Index<'a> {
    pub fn new(evidence: &'a Evidence) -> Result<Self> {
        let products = unique("product", evidence.products.iter().map(String::as_str))?;
        unique("entry", evidence.entries.iter().map(|e| e.id.as_str()))?;
        unique("judge", evidence.judges.iter().map(|j| j.id.as_str()))?;
        unique("reference set of encoder", evidence.references.iter().map(|r| r.encoder.as_str()))?;
        let mut references: Vec<_> = evidence.references.iter().collect();
        references.sort_by(|a, b| a.encoder.cmp(&b.encoder));
        references.iter().try_for_each(|r| check_reference(r))?;
        let mut entries = Vec::new();
        for entry in &evidence.entries {
            let mut items = Vec::new();
            for item in &entry.items {
                let place = format!("entry \"{}\"", entry.id);
                items.push((find(&products, "product", &item.product, &place)?, item));
                check_item(item, &entry.id, &references)?;
            }
            items.sort_by_key(|(product, item)| (*product, item.sample));
            let same = items.windows(2).find(|w| (w[0].0, w[0].1.sample) == (w[1].0, w[1].1.sample));
            if let Some(w) = same {
                let name = format!("{} / {} / sample {}", entry.id, w[0].1.product, w[0].1.sample);
                return Err(EvalError::Duplicate { what: "item", name });
            }
            entries.push(IndexedEntry {
                id: &entry.id,
                description: &entry.description,
                planned: entry.planned,
                cost: cost(&items, entry.peak_memory_bytes),
                items,
                failures: &entry.failures,
            });
        }
        entries.sort_by_key(|e| e.id);
        let mut index = Self { products, entries, judges: Vec::new(), references };
        for judge in &evidence.judges {
            let scores = index.scores(judge)?;
            index.judges.push(IndexedJudge { id: &judge.id, scores, evidence: judge });
        }
        index.judges.sort_by_key(|j| j.id);
        Ok(index)
    }

    fn entry(&self, id: &str, place: &str) -> Result<usize> {
        let ids: Vec<&str> = self.entries.iter().map(|e| e.id).collect();
        find(&ids, "entry", id, place)
    }

    fn scores(&self, judge: &JudgeEvidence) -> Result<Vec<Value>> {
        let place = format!("judge \"{}\"", judge.id);
        let mut scores = BTreeMap::new();
        for s in &judge.scores {
            let key = (
                self.entry(&s.entry, &place)?,
                find(&self.products, "product", &s.product, &place)?,
                s.sample,
            );
            let name = format!("judge \"{}\", entry \"{}\", product \"{}\"", judge.id, s.entry, s.product);
            check_probability(s.ctr, &name, "predicted CTR")?;
            if scores.insert(key, s.ctr).is_some() {
                return Err(EvalError::Duplicate {
                    what: "score",
                    name: format!("{name}, sample {}", s.sample),
                });
            }
        }
        Ok(scores.into_iter().map(|((entry, product, _), ctr)| (entry, product, ctr)).collect())
    }

    /// One measured number of every item that has it.
    pub fn items(&self, of: impl Fn(&Item) -> Option<f64>) -> Vec<Value> {
        let entries = self.entries.iter().enumerate();
        entries
            .flat_map(|(e, entry)| {
                entry.items.iter().filter_map(|(p, i)| Some((e, *p, of(i)?))).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Means over samples, by product and entry.
    pub fn means(&self, values: impl Iterator<Item = Value>) -> ClusterTable {
        let mut sums = BTreeMap::<(usize, usize), (f64, f64)>::new();
        for (entry, product, value) in values {
            let (sum, n) = sums.entry((product, entry)).or_default();
            *sum += value;
            *n += 1.0;
        }
        let mut table = ClusterTable::new(self.products.len(), self.entries.len());
        sums.into_iter().for_each(|((product, entry), (sum, n))| table.set(product, entry, sum / n));
        table
    }

    pub fn failures(&self, entry: usize) -> Vec<Failure> {
        let mut failures = self.entries[entry].failures.to_vec();
        failures.sort();
        failures
    }
}

impl<'a> IndexedEntry<'a> {
    /// Feature vectors under one encoder, with the number of each one's product.
    pub fn features(&self, encoder: &str) -> (Vec<&'a [f32]>, Vec<usize>) {
        let with = self.items.iter().filter_map(|(p, i)| Some((i.features.get(encoder)?.as_slice(), *p)));
        with.unzip()
    }
}

impl IndexedJudge<'_> {
    pub fn preferences(&self, index: &Index<'_>, margin: f64) -> Result<Preferences> {
        let place = format!("judge \"{}\"", self.id);
        let mut asked = std::collections::BTreeSet::new();
        let mut questions = Vec::new();
        for c in &self.evidence.comparisons {
            let name = format!("{place}, product \"{}\", \"{}\" left of \"{}\"", c.product, c.left, c.right);
            let product = find(&index.products, "product", &c.product, &place)?;
            let (left, right) = (index.entry(&c.left, &place)?, index.entry(&c.right, &place)?);
            check_probability(c.p_left, &name, "P(left)")?;
            if left == right || !asked.insert((product, c.sample, left, right)) {
                return Err(EvalError::Duplicate { what: "entry or comparison", name });
            }
            questions.push(Question { product, sample: c.sample, left, right, p_left: c.p_left });
        }
        Preferences::collect(index.entries.len(), index.products.len(), &questions, margin)
    }
}

fn unique<'a>(what: &'static str, names: impl Iterator<Item = &'a str>) -> Result<Vec<&'a str>> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    match names.windows(2).find(|w| w[0] == w[1]) {
        Some(w) => Err(EvalError::Duplicate { what, name: w[0].into() }),
        None => Ok(names),
    }
}

/// The number of a name in a sorted list.
fn find(names: &[&str], what: &'static str, name: &str, place: &str) -> Result<usize> {
    names.binary_search(&name).map_err(|_| {
        let shown = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
        let known = if names.len() > 12 { format!("{shown}, ... ({} in all)", names.len()) } else { shown };
        EvalError::Unknown { place: place.into(), what, name: name.into(), known }
    })
}

fn check_item(item: &Item, entry: &str, references: &[&ReferenceFeatures]) -> Result<()> {
    let place = format!("entry \"{entry}\", product \"{}\"", item.product);
    if let Some(fidelity) = item.fidelity {
        check_probability(fidelity, &place, "product fidelity")?;
    }
    if let Some(consistency) = item.consistency {
        check_probability(consistency.score, &place, "product consistency")?;
    }
    if let Some(value) = item.seconds.filter(|s| !s.is_finite() || *s < 0.0) {
        let metric = "seconds".to_owned();
        return Err(if value.is_finite() {
            EvalError::OutOfRange { place, metric, value, low: 0.0, high: f64::MAX }
        } else {
            EvalError::NotFinite { place, metric, value }
        });
    }
    for (encoder, row) in &item.features {
        check_finite(row, &place, encoder)?;
        let reference = references.iter().find(|r| r.encoder == *encoder).and_then(|r| r.rows.first());
        if let Some(want) = reference.map(Vec::len).filter(|want| *want != row.len()) {
            return Err(EvalError::size(&place, &format!("the {encoder} feature vector"), row.len(), want));
        }
    }
    Ok(())
}

fn check_reference(reference: &ReferenceFeatures) -> Result<()> {
    let name = format!("reference set of {}", reference.encoder);
    if reference.rows.len() < 2 {
        return Err(EvalError::TooFew { what: format!("The {name}"), got: reference.rows.len(), needed: 2 });
    }
    let want = reference.rows[0].len();
    for (at, row) in reference.rows.iter().enumerate() {
        let place = format!("{name}, row {at}");
        if row.len() != want {
            return Err(EvalError::size(&place, "the feature vector", row.len(), want));
        }
        check_finite(row, &place, &reference.encoder)?;
    }
    Ok(())
}

fn check_finite(row: &[f32], place: &str, encoder: &str) -> Result<()> {
    match row.iter().find(|v| !v.is_finite()) {
        Some(value) => Err(EvalError::NotFinite {
            place: place.into(),
            metric: format!("a {encoder} feature"),
            value: f64::from(*value),
        }),
        None => Ok(()),
    }
}

fn cost(items: &[(usize, &Item)], peak_memory_bytes: Option<u64>) -> Cost {
    let mut seconds: Vec<f64> = items.iter().filter_map(|(_, i)| i.seconds).collect();
    let total_seconds = seconds.iter().sum();
    seconds.sort_unstable_by(f64::total_cmp);
    let seconds_per_creative = crate::statistics::quantile::quantile(&seconds, 0.5);
    Cost { seconds_per_creative, total_seconds, peak_memory_bytes }
}
