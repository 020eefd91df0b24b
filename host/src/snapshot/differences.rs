//! What a snapshot and a new run do not share.

use super::Snapshot;
use super::json::{JsonChange, changes};
use adeval_sdk::testkit::{self, Comparison, Tolerances};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The layers, in the order in which a reader should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Prompts.
    Prompts,
    /// Creatives.
    Pixels,
    /// Features of creatives.
    Embeddings,
    /// The board.
    Metrics,
}

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Prompts => "prompts",
            Self::Pixels => "pixels",
            Self::Embeddings => "embeddings",
            Self::Metrics => "metrics",
        })
    }
}

/// One item that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Its layer.
    pub layer: Layer,
    /// Its key there.
    pub key: String,
    /// How.
    pub change: Change,
}

/// How an item differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Change {
    /// The snapshot has no such item.
    Added,
    /// The run gave no such item.
    Removed,
    /// Another text.
    Text {
        /// In the snapshot.
        old: String,
        /// In the run.
        new: String,
    },
    /// Other values.
    Values {
        /// Which.
        changes: Vec<JsonChange>,
    },
    /// Another place in the space of features.
    Embedding {
        /// Length of the change over the old vector's; absent when the vectors are of different lengths.
        distance: Option<f64>,
        /// What is allowed.
        allowed: f64,
    },
    /// It looks different.
    Pixels {
        /// The comparison.
        comparison: Box<Comparison>,
        /// Mean FLIP error, once it was drawn.
        flip: Option<f64>,
        /// The picture of old, new and difference, once it was drawn.
        evidence: Option<PathBuf>,
    },
    /// An image that cannot be decoded.
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// The items that differ by more than the tolerances, by layer and key.
pub fn compare(old: &Snapshot, new: &Snapshot, tolerances: &Tolerances) -> Vec<Difference> {
    let prompts = layer(Layer::Prompts, &old.prompts, &new.prompts, |a, b| {
        (a != b).then(|| Change::Text { old: a.clone(), new: b.clone() })
    });
    let pixels = layer(Layer::Pixels, &old.images, &new.images, |a, b| pixels(a, b, tolerances));
    let embeddings = layer(Layer::Embeddings, &old.embeddings, &new.embeddings, |a, b| {
        let allowed = tolerances.embeddings.relative;
        let distance = distance(a, b);
        (!distance.is_some_and(|distance| distance <= allowed))
            .then_some(Change::Embedding { distance, allowed })
    });
    let metrics = layer(Layer::Metrics, &old.metrics, &new.metrics, |a, b| {
        let changes = changes(a, b, &tolerances.metrics);
        (!changes.is_empty()).then_some(Change::Values { changes })
    });
    [prompts, pixels, embeddings, metrics].concat()
}

fn layer<T: Sync>(
    layer: Layer,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    compare: impl Fn(&T, &T) -> Option<Change> + Sync,
) -> Vec<Difference> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let keys: Vec<&String> = keys.into_iter().collect();
    let difference = |key: &&String| {
        let change = match (old.get(*key), new.get(*key)) {
            (Some(a), Some(b)) => compare(a, b)?,
            (Some(_), None) => Change::Removed,
            _ => Change::Added,
        };
        Some(Difference { layer, key: (*key).clone(), change })
    };
    keys.par_iter().filter_map(difference).collect()
}

fn pixels(old: &[u8], new: &[u8], tolerances: &Tolerances) -> Option<Change> {
    if old == new {
        return None;
    }
    match (decode(old), decode(new)) {
        (Ok(old), Ok(new)) => {
            let comparison = testkit::compare(&old, &new, &tolerances.pixels);
            let comparison = (!comparison.passed()).then(|| Box::new(comparison))?;
            Some(Change::Pixels { comparison, flip: None, evidence: None })
        }
        (Err(reason), _) => Some(Change::Unreadable { reason: format!("the snapshot's PNG: {reason}") }),
        (_, Err(reason)) => Some(Change::Unreadable { reason: format!("the run's PNG: {reason}") }),
    }
}

/// The pixels of a PNG.
pub(super) fn decode(png: &[u8]) -> Result<image::RgbImage, String> {
    image::load_from_memory_with_format(png, image::ImageFormat::Png)
        .map(|image| image.to_rgb8())
        .map_err(|error| error.to_string())
}

/// The length of the change over the old vector's length; `None` for vectors of different lengths. From zeros, or with a
/// NaN, every change is infinite.
fn distance(old: &[f32], new: &[f32]) -> Option<f64> {
    if old.len() != new.len() {
        return None;
    }
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let change = length(&mut old.iter().zip(new).map(|(a, b)| f64::from(*b) - f64::from(*a)));
    let relative = change / length(&mut old.iter().map(|v| f64::from(*v)));
    Some(if change == 0.0 { 0.0 } else { Some(relative).filter(|d| d.is_finite()).unwrap_or(f64::INFINITY) })
}

impl Snapshot {
    /// Takes over these items from a newer snapshot, and its description with them.
    pub fn adopt(&mut self, newer: &Self, accepted: &[Difference]) {
        let old = std::mem::replace(&mut self.manifest, newer.manifest.clone());
        let mut images = old.images;
        for Difference { layer, key, .. } in accepted {
            match layer {
                Layer::Prompts => adopt(&mut self.prompts, &newer.prompts, key),
                Layer::Metrics => adopt(&mut self.metrics, &newer.metrics, key),
                Layer::Embeddings => adopt(&mut self.embeddings, &newer.embeddings, key),
                Layer::Pixels => {
                    adopt(&mut self.images, &newer.images, key);
                    adopt(&mut images, &newer.manifest.images, key);
                }
            }
        }
        self.manifest.images = images;
        // Vectors of another encoder are of another length, and a file holds one length.
        if old.embedding_length != newer.manifest.embedding_length {
            if accepted.iter().any(|difference| difference.layer == Layer::Embeddings) {
                self.embeddings.clone_from(&newer.embeddings);
            } else {
                self.manifest.embedding_length = old.embedding_length;
            }
        }
        self.manifest.embeddings = self.embeddings.keys().cloned().collect();
    }
}

fn adopt<T: Clone>(into: &mut BTreeMap<String, T>, from: &BTreeMap<String, T>, key: &str) {
    match from.get(key) {
        Some(value) => into.insert(key.to_owned(), value.clone()),
        None => into.remove(key),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_vectors_is_of_direction_and_scale() {
        assert_eq!(distance(&[3.0, 4.0], &[3.0, 4.5]), Some(0.1));
        assert_eq!(distance(&[1.0, 2.0], &[2.0, 4.0]), Some(1.0));
        assert_eq!((distance(&[0.0], &[0.0]), distance(&[0.0], &[1.0])), (Some(0.0), Some(f64::INFINITY)));
        assert_eq!(distance(&[f32::NAN], &[1.0]), Some(f64::INFINITY));
        assert_eq!(distance(&[1.0], &[1.0, 1.0]), None);
    }
}
