//! Creatives summed up by entry.

use super::super::super::exit::Stop;
use super::{CreativeConsistency, EntryConsistency};
use adeval_eval::{Bootstrap, ClusterTable, Estimate};
use std::collections::BTreeMap;

/// One summary an entry.
pub fn entries(
    creatives: &[CreativeConsistency],
    bootstrap: &Bootstrap,
) -> Result<Vec<EntryConsistency>, Stop> {
    let mut by_entry: BTreeMap<&str, Vec<&CreativeConsistency>> = BTreeMap::new();
    for one in creatives {
        by_entry.entry(&one.entry).or_default().push(one);
    }
    by_entry.into_iter().map(|(entry, of)| summary(entry, &of, bootstrap)).collect()
}

fn summary(
    entry: &str,
    creatives: &[&CreativeConsistency],
    bootstrap: &Bootstrap,
) -> Result<EntryConsistency, Stop> {
    let mut parts = BTreeMap::<String, (f64, f64)>::new();
    let mut reasons = BTreeMap::new();
    for one in creatives {
        for (name, part) in one.found.parts.named() {
            let (sum, count) = parts.entry(name.to_owned()).or_default();
            *sum += part;
            *count += 1.0;
        }
        one.found.verdict.kinds().into_iter().for_each(|kind| *reasons.entry(kind).or_default() += 1);
    }
    let available = |one: &CreativeConsistency| f64::from(u8::from(one.found.verdict.available));
    Ok(EntryConsistency {
        entry: entry.to_owned(),
        creatives: creatives.len(),
        score: some(mean(creatives, |one| Some(one.found.score), bootstrap, false)?)?,
        available: some(mean(creatives, |one| Some(available(one)), bootstrap, true)?)?,
        parts: parts.into_iter().map(|(name, (sum, count))| (name, sum / count)).collect(),
        reasons,
        brisque: mean(creatives, |one| one.brisque, bootstrap, false)?,
        perceptual: mean(creatives, |one| one.perceptual, bootstrap, false)?,
        scene_similarity: mean(creatives, |one| one.scene_similarity, bootstrap, false)?,
        match_rate: mean(creatives, matches, bootstrap, true)?,
    })
}

/// Whether the judge finds that product and scene match.
fn matches(one: &CreativeConsistency) -> Option<f64> {
    one.match_probability.map(|probability| f64::from(u8::from(probability >= 0.5)))
}

fn some(estimate: Option<Estimate>) -> Result<Estimate, Stop> {
    estimate.ok_or_else(|| Stop::new("an entry without a creative; please report this"))
}

/// Mean over products of each product's mean, with its interval; `None` where no creative has a value.
fn mean(
    creatives: &[&CreativeConsistency],
    of: impl Fn(&CreativeConsistency) -> Option<f64>,
    bootstrap: &Bootstrap,
    rate: bool,
) -> Result<Option<Estimate>, Stop> {
    let mut products = BTreeMap::<&str, Vec<f64>>::new();
    for one in creatives {
        products.entry(&one.product).or_default().extend(of(one));
    }
    products.retain(|_, values| !values.is_empty());
    let mut table = ClusterTable::new(products.len(), 1);
    for (at, values) in products.values().enumerate() {
        table.set(at, 0, values.iter().sum::<f64>() / values.len() as f64);
    }
    let estimates = table.means(bootstrap, rate)?;
    Ok(estimates.into_iter().next().flatten())
}
