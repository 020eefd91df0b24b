//! The area under the ROC curve, with products as clusters.

use super::{Bootstrap, quantile::sorted_column, sums::bca_estimate};
use crate::{Estimate, Result};

/// Something scored, with what it turned out to be: as many positives (clicks, wins) and negatives as it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The cluster (product) that it belongs to.
    pub cluster: usize,
    /// The score; finite. Only the order of scores matters.
    pub score: f64,
    /// Positives among it, 0 or more.
    pub positives: f64,
    /// Negatives among it.
    pub negatives: f64,
}

/// P(score of a positive > score of a negative), equal scores counting half; `None` without positives or negatives.
pub fn auc(items: &[Scored]) -> Option<f64> {
    let ranked = Ranked::new(items);
    let value = ranked.area(|_| 1.0);
    value.is_finite().then_some(value)
}

/// The area with a BCa interval over `clusters` clusters. Pairs of a positive and a negative of different clusters
/// count as those of one cluster do.
///
/// # Errors
/// [`crate::EvalError::BadOption`].
pub fn auc_estimate(items: &[Scored], clusters: usize, bootstrap: &Bootstrap) -> Result<Option<Estimate>> {
    bootstrap.validate()?;
    let ranked = Ranked::new(items);
    let value = ranked.area(|_| 1.0);
    let rows = bootstrap.run(clusters, 1, |counts, out| out[0] = ranked.area(|c| f64::from(counts[c])));
    let jackknife = ranked.leave_one_out(clusters);
    Ok(bca_estimate(value, jackknife.len(), &sorted_column(&rows, 1, 0), &jackknife, bootstrap.level))
}

/// Items by ascending score, equal scores in groups.
struct Ranked {
    items: Vec<Scored>,
    /// Where each group of equal scores ends.
    ends: Vec<usize>,
}

impl Ranked {
    fn new(items: &[Scored]) -> Self {
        let mut items = items.to_vec();
        items.sort_by(|a, b| a.score.total_cmp(&b.score).then(a.cluster.cmp(&b.cluster)));
        let mut ends: Vec<usize> =
            (1..items.len()).filter(|&i| items[i].score > items[i - 1].score).collect();
        ends.extend((!items.is_empty()).then_some(items.len()));
        Self { items, ends }
    }

    /// Weighted concordant pairs, positives and negatives.
    fn concordant(&self, weight: impl Fn(usize) -> f64) -> (f64, f64, f64) {
        let (mut area, mut positives, mut negatives, mut start) = (0.0, 0.0, 0.0, 0);
        for &end in &self.ends {
            let (mut p, mut n) = (0.0, 0.0);
            for item in &self.items[start..end] {
                let weight = weight(item.cluster);
                p += weight * item.positives;
                n += weight * item.negatives;
            }
            area += p * (negatives + n / 2.0);
            positives += p;
            negatives += n;
            start = end;
        }
        (area, positives, negatives)
    }

    fn area(&self, weight: impl Fn(usize) -> f64) -> f64 {
        let (area, positives, negatives) = self.concordant(weight);
        area / (positives * negatives)
    }

    /// The area without each cluster that has items, where it has a value.
    fn leave_one_out(&self, clusters: usize) -> Vec<f64> {
        let (area, positives, negatives) = self.concordant(|_| 1.0);
        // What a cluster's items take part in: its positives over all negatives and its negatives under all positives.
        let mut touched = vec![0.0; clusters];
        let mut members = vec![Vec::new(); clusters];
        let (mut below_p, mut below_n, mut start) = (0.0, 0.0, 0);
        for &end in &self.ends {
            let group = &self.items[start..end];
            let p: f64 = group.iter().map(|i| i.positives).sum();
            let n: f64 = group.iter().map(|i| i.negatives).sum();
            for item in group {
                touched[item.cluster] += item.positives * (below_n + n / 2.0);
                touched[item.cluster] += item.negatives * (positives - below_p - p / 2.0);
                members[item.cluster].push(*item);
            }
            below_p += p;
            below_n += n;
            start = end;
        }
        let mut without = Vec::new();
        for (items, touched) in members.iter().zip(touched).filter(|(items, _)| !items.is_empty()) {
            // What lies within the cluster was taken away twice.
            let (within, p, n) = Self::new(items).concordant(|_| 1.0);
            let value = (area - touched + within) / ((positives - p) * (negatives - n));
            without.extend(value.is_finite().then_some(value));
        }
        without
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Scored> {
        (0..60_usize)
            .map(|i| Scored {
                cluster: i * 7 % 13,
                score: f64::from((i * i % 17) as u32),
                positives: f64::from((i % 3) as u32),
                negatives: f64::from((i % 4) as u32),
            })
            .collect()
    }

    fn by_hand(items: &[Scored]) -> f64 {
        let (mut area, mut weight) = (0.0, 0.0);
        for (a, b) in items.iter().flat_map(|a| items.iter().map(move |b| (a, b))) {
            let both = a.positives * b.negatives;
            weight += both;
            area += both
                * if a.score > b.score {
                    1.0
                } else if a.score < b.score {
                    0.0
                } else {
                    0.5
                };
        }
        area / weight
    }

    #[test]
    fn the_area_is_that_of_all_pairs() {
        let value = auc(&items()).unwrap();
        assert!((value - by_hand(&items())).abs() < 1e-14, "{value}");
        assert_eq!(auc(&items()[..0]), None);
    }

    #[test]
    fn leaving_a_cluster_out_is_leaving_its_items_out() {
        let items = items();
        let without = Ranked::new(&items).leave_one_out(15);
        assert_eq!(without.len(), 13);
        for (cluster, value) in without.iter().enumerate() {
            let rest: Vec<Scored> = items.iter().copied().filter(|i| i.cluster != cluster).collect();
            assert!((value - by_hand(&rest)).abs() < 1e-14, "{cluster}");
        }
    }
}
