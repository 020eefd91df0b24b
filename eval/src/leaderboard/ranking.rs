//! Who is ahead of whom, and who cannot be told apart: the same for entries over products and for optimizers over seeds.

use super::board::{PairwiseResult, RankRange};
use crate::statistics::multiplicity::holm;
use crate::{Bootstrap, ClusterTable, Estimate, Result, paired};

/// Two columns of a table, and what their comparison gave.
pub type Pair = (usize, usize, PairwiseResult);

/// Columns, best first: by value, then as they stand; those without a value last.
pub fn order(columns: usize, values: Option<&[Option<Estimate>]>) -> Vec<usize> {
    let value = |c: usize| values.and_then(|v| v[c]).map_or(f64::NEG_INFINITY, |v| v.value);
    let mut order: Vec<usize> = (0..columns).collect();
    order.sort_by(|&a, &b| value(b).total_cmp(&value(a)).then(a.cmp(&b)));
    order
}

/// Every two columns of the table that share a cluster, the better first.
pub fn meetings(order: &[usize], table: &ClusterTable) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (at, &a) in order.iter().enumerate() {
        pairs.extend(
            order[at + 1..].iter().map(|&b| (a, b)).filter(|&(a, b)| !table.differences(a, b).is_empty()),
        );
    }
    pairs
}

/// Compares pairs on the clusters that both have, with Holm's correction. `rates` are win rates head to head, one a pair.
pub fn compare(
    ids: &[&str],
    pairs: &[(usize, usize)],
    table: &ClusterTable,
    rates: Vec<Option<Estimate>>,
    bootstrap: &Bootstrap,
) -> Result<Vec<Pair>> {
    let compared = paired::compare(table, pairs, bootstrap)?;
    let corrected = holm(&compared.iter().map(|c| c.p).collect::<Vec<_>>());
    let results = pairs.iter().zip(compared).zip(rates).zip(corrected);
    Ok(results
        .map(|(((&(a, b), paired), win_rate), p_holm)| {
            let result = PairwiseResult {
                a: ids[a].into(),
                b: ids[b].into(),
                win_rate,
                difference: paired.difference,
                deviation: paired.deviation,
                p: paired.p,
                p_holm,
                significant: p_holm < 1.0 - bootstrap.level,
            };
            (a, b, result)
        })
        .collect())
}

/// The ranks that a column may hold.
pub fn rank(at: usize, values: &[Option<Estimate>], pairs: &[Pair]) -> RankRange {
    let ranked = values.iter().flatten().count();
    let (mut better, mut worse) = (0, 0);
    for (a, b, result) in pairs.iter().filter(|(_, _, r)| r.significant) {
        let a_wins = result.difference.value > 0.0;
        let (winner, loser) = if a_wins { (*a, *b) } else { (*b, *a) };
        better += usize::from(loser == at);
        worse += usize::from(winner == at);
    }
    RankRange { best: 1 + better, worst: ranked - worse }
}
