//! The columns of the table of sums behind a report, and what is computed from them.

use super::ceiling::{Fitted, expected};
use super::pair::{Pair, Winner};
use crate::Sums;

/// Columns about all pairs.
pub(super) const BOTH: usize = 0;
pub(super) const CONSISTENT: usize = 1;
pub(super) const LEFT: usize = 2;
/// Columns before those of groups.
pub(super) const SHARED: usize = 3;
/// Columns of a group (the first group holds all pairs): pairs, right ones, ceiling.
pub(super) const OF_GROUP: usize = 3;

/// Statistics before those of groups: swap consistency, position bias.
pub(super) const HEAD: usize = 2;
/// Statistics of a group: accuracy, ceiling, share of it, accuracy on the true order.
pub(super) const STATISTICS: usize = 4;

/// The facts of a pair that a report adds up.
pub(super) struct Facts {
    pub label: Winner,
    /// 1, 0, or 1/2 for a judge that could not decide.
    pub right: f64,
    pub ceiling: f64,
}

impl Facts {
    pub fn of(pair: &Pair, prior: &Fitted, margin: f64) -> Self {
        let label = pair.label();
        let right = pair.prediction(margin).agreement(label);
        Self { label, right, ceiling: expected(label, prior.p_first(pair)) }
    }
}

/// Fills the table. `groups[i]` lists the groups of pair i beside the first, which holds all.
pub(super) fn table(
    pairs: &[Pair],
    facts: &[Facts],
    groups: &[Vec<usize>],
    count: usize,
    products: usize,
    margin: f64,
) -> Sums {
    let mut sums = Sums::new(products, SHARED + OF_GROUP * count);
    for ((pair, facts), groups) in pairs.iter().zip(facts).zip(groups) {
        if let (Some(consistent), Some(left)) = (pair.consistent(margin), pair.left_excess()) {
            sums.add(pair.product, BOTH, 1.0);
            sums.add(pair.product, CONSISTENT, f64::from(u8::from(consistent)));
            sums.add(pair.product, LEFT, left);
        }
        // Creatives with equal CTRs have no order to be right about.
        if facts.label == Winner::Neither {
            continue;
        }
        for group in std::iter::once(&0).chain(groups) {
            let values = [1.0, facts.right, facts.ceiling];
            for (k, value) in values.into_iter().enumerate() {
                sums.add(pair.product, SHARED + OF_GROUP * group + k, value);
            }
        }
    }
    sums
}

/// All statistics from column sums.
pub(super) fn statistics(sums: &[f64], out: &mut [f64]) {
    out[0] = sums[CONSISTENT] / sums[BOTH];
    out[1] = sums[LEFT] / sums[BOTH];
    for (group, out) in sums[SHARED..].chunks_exact(OF_GROUP).zip(out[HEAD..].chunks_exact_mut(STATISTICS)) {
        let [n, right, ceiling] = *group else { continue };
        let (accuracy, ceiling) = (right / n, ceiling / n);
        // A judge who is right about the true order with chance t is right about the clicks' with t c + (1 - t)(1 - c).
        let true_order = 0.5 + (accuracy - 0.5) / (2.0 * ceiling - 1.0);
        out.copy_from_slice(&[accuracy, ceiling, accuracy / ceiling, true_order]);
    }
}
