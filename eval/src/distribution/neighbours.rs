//! Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020): how much of the sample looks
//! like the reference, and how much of the reference the sample reaches.
//!
//! A set's manifold is the union of balls around its rows that reach to the k-th nearest other row. A row on the edge of a
//! ball is inside. Everything that the exact jackknife needs is found in one pass over the blocks.

use super::blocks::{self, Block};
use super::checked;
use super::jackknife::{self, POSITIVE, Without};
use crate::statistics::renumbered;
use crate::{Estimate, EvalError, Result};
use serde::{Deserialize, Serialize};

/// Precision, recall, density and coverage for one k.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Manifolds {
    /// Share of the sample inside the reference's manifold, in [0, 1].
    pub precision: Estimate,
    /// Share of the reference inside the sample's manifold, in [0, 1].
    pub recall: Estimate,
    /// Mean number of the reference's balls that a row of the sample lies in, over k; 0 and up, 1 expected of equal sets.
    pub density: Estimate,
    /// Share of the reference's balls that hold a row of the sample, in [0, 1].
    pub coverage: Estimate,
}

/// Compares the manifolds of two sets with balls to the `k`-th neighbour (3 is usual for precision and recall, 5 for
/// density and coverage).
///
/// # Errors
/// [`EvalError::TooFew`] below k + 1 rows a set, [`EvalError::BadOption`] for a k of 0; sizes and values that are not finite
/// are named by row.
pub fn manifolds<A, B>(
    sample: &[A],
    clusters: &[usize],
    reference: &[B],
    k: usize,
    level: f64,
) -> Result<Manifolds>
where
    A: AsRef<[f32]> + Sync,
    B: AsRef<[f32]> + Sync,
{
    if k == 0 {
        return Err(EvalError::BadOption { option: "k", value: "0".into(), rule: "it must be at least 1" });
    }
    checked("A manifold", sample, clusters, reference, k + 1)?;
    let (clusters, count) = renumbered(clusters);
    let (x, y) = (blocks::squares(sample), blocks::squares(reference));
    let balls = Balls::of(sample, &x, &clusters, count, k);
    let alone: Vec<usize> = (0..reference.len()).collect();
    let radii = Balls::of(reference, &y, &alone, 0, k).radii;
    let mut met = Met::new(sample.len(), reference.len());
    let parts = blocks::map(sample, reference, |block: Block<'_>| {
        let mut part = Met::new(block.rows.len(), block.columns.len());
        for (c, j) in block.columns.clone().enumerate() {
            for (r, i) in block.rows.clone().enumerate() {
                let distance = squared(x[i], y[j], block.products[(r, c)]);
                part.meet((r, c), distance, radii[j], (&balls, i), clusters[i]);
            }
        }
        (block.rows.start, block.columns.start, part)
    });
    for (row, column, part) in parts {
        met.add(row, column, part);
    }
    met.estimates(&clusters, count, k, level)
}

/// |x - y|^2, without what rounding leaves of equal rows.
fn squared(x: f64, y: f64, product: f64) -> f64 {
    let distance = x + y - 2.0 * product;
    if distance <= 1e-13 * (x + y) { 0.0 } else { distance }
}

/// Squared radii of a set's balls.
struct Balls {
    radii: Vec<f64>,
    /// The largest that each radius can become when a cluster is left out.
    widest: Vec<f64>,
    /// By row: clusters among its nearest, and its radius without each.
    without: Vec<Vec<(usize, f64)>>,
}

impl Balls {
    /// `count` clusters are to be left out in turn; none for 0.
    fn of<A: AsRef<[f32]> + Sync>(
        rows: &[A],
        squares: &[f64],
        clusters: &[usize],
        count: usize,
        k: usize,
    ) -> Self {
        let mut sizes = vec![0; count];
        if count > 0 {
            clusters.iter().for_each(|c| sizes[*c] += 1);
        }
        // Enough neighbours that the k-th is still known when the largest cluster is gone.
        let wanted = k + sizes.iter().max().copied().unwrap_or(0);
        let near = nearest(rows, squares, wanted);
        let radii: Vec<f64> = near.iter().map(|list| list[k - 1].0).collect();
        let mut balls = Self { widest: radii.clone(), radii, without: vec![Vec::new(); rows.len()] };
        if count > 0 {
            for (row, list) in near.iter().enumerate() {
                balls.leave_out(row, list, clusters, k);
            }
        }
        balls
    }

    fn leave_out(&mut self, row: usize, near: &[(f64, usize)], clusters: &[usize], k: usize) {
        let mut gone: Vec<usize> = near[..k].iter().map(|(_, other)| clusters[*other]).collect();
        gone.sort_unstable();
        gone.dedup();
        for cluster in gone.into_iter().filter(|c| *c != clusters[row]) {
            let mut kept = near.iter().filter(|(_, other)| clusters[*other] != cluster);
            // With too few rows left there is no such ball.
            let Some((radius, _)) = kept.nth(k - 1) else { continue };
            self.widest[row] = self.widest[row].max(*radius);
            self.without[row].push((cluster, *radius));
        }
    }
}

/// The `wanted` nearest other rows of each row, as (squared distance, row), ascending.
fn nearest<A: AsRef<[f32]> + Sync>(rows: &[A], squares: &[f64], wanted: usize) -> Vec<Vec<(f64, usize)>> {
    let parts = blocks::map_upper(rows, |block: Block<'_>| {
        let mut lists =
            [vec![Nearest::new(wanted); block.rows.len()], vec![Nearest::new(wanted); block.columns.len()]];
        for (c, j) in block.columns.clone().enumerate() {
            for (r, i) in block.rows.clone().enumerate() {
                if i < j {
                    let distance = squared(squares[i], squares[j], block.products[(r, c)]);
                    lists[0][r].push((distance, j));
                    lists[1][c].push((distance, i));
                }
            }
        }
        (block.rows.start, block.columns.start, lists)
    });
    let mut all = vec![Nearest::new(wanted); rows.len()];
    for (row, column, [down, across]) in parts {
        for (at, lists) in [(row, down), (column, across)] {
            for (list, part) in all[at..].iter_mut().zip(lists) {
                part.found.into_iter().for_each(|found| list.push(found));
            }
        }
    }
    all.into_iter().map(|list| list.found).collect()
}

/// The nearest so far, ascending; of equals the one with the smaller row, so that the order of pushes does not matter.
#[derive(Clone)]
struct Nearest {
    wanted: usize,
    found: Vec<(f64, usize)>,
}

impl Nearest {
    const fn new(wanted: usize) -> Self {
        Self { wanted, found: Vec::new() }
    }

    fn push(&mut self, new: (f64, usize)) {
        if self.found.len() == self.wanted && self.found.last().is_some_and(|last| new >= *last) {
            return;
        }
        let at = self.found.partition_point(|old| *old < new);
        self.found.insert(at, new);
        self.found.truncate(self.wanted);
    }
}

/// Who lies in whose balls.
struct Met {
    /// By row of the sample: how many of the reference's balls it lies in.
    inside: Vec<u32>,
    /// By row of the reference: which clusters lie in its ball.
    holds: Vec<Which>,
    /// By row of the reference: clusters in whose balls it lies.
    reached: Vec<Which>,
    /// By row of the reference: (cluster left out, cluster that reaches it only then).
    rescued: Vec<Vec<(usize, usize)>>,
}

/// None, one, or several clusters.
#[derive(Clone, Copy, PartialEq)]
enum Which {
    None,
    One(usize),
    Several,
}

impl Which {
    fn add(&mut self, other: Self) {
        *self = match (*self, other) {
            (Self::None, which) | (which, Self::None) => which,
            (Self::One(a), Self::One(b)) if a == b => Self::One(a),
            _ => Self::Several,
        };
    }
}

impl Met {
    fn new(sample: usize, reference: usize) -> Self {
        Self {
            inside: vec![0; sample],
            holds: vec![Which::None; reference],
            reached: vec![Which::None; reference],
            rescued: vec![Vec::new(); reference],
        }
    }

    /// Row r of the sample, of `cluster`, and row c of the reference, whose ball has the squared `radius`.
    fn meet(
        &mut self,
        (r, c): (usize, usize),
        distance: f64,
        radius: f64,
        (balls, row): (&Balls, usize),
        cluster: usize,
    ) {
        if distance <= radius {
            self.inside[r] += 1;
            self.holds[c].add(Which::One(cluster));
        }
        if distance <= balls.radii[row] {
            self.reached[c].add(Which::One(cluster));
        } else if distance <= balls.widest[row] {
            let wide = balls.without[row].iter().filter(|(_, radius)| distance <= *radius);
            self.rescued[c].extend(wide.map(|(gone, _)| (*gone, cluster)));
        }
    }

    fn add(&mut self, row: usize, column: usize, part: Self) {
        self.inside[row..].iter_mut().zip(part.inside).for_each(|(sum, n)| *sum += n);
        self.holds[column..].iter_mut().zip(part.holds).for_each(|(which, other)| which.add(other));
        self.reached[column..].iter_mut().zip(part.reached).for_each(|(which, other)| which.add(other));
        for (all, more) in self.rescued[column..].iter_mut().zip(part.rescued) {
            all.extend(more);
        }
    }

    fn estimates(self, clusters: &[usize], count: usize, k: usize, level: f64) -> Result<Manifolds> {
        let per_row = |f: fn(u32) -> f64| self.inside.iter().map(|n| f(*n)).collect::<Vec<_>>();
        let (precision, precisions) = jackknife::mean(&per_row(|n| f64::from(u8::from(n > 0))), clusters)?;
        let (density, densities) = jackknife::mean(&per_row(f64::from), clusters)?;
        let over_k: Vec<Without> = densities.iter().map(|(n, v)| (*n, v / k as f64)).collect();
        let kept: Vec<usize> = precisions.iter().map(|(kept, _)| *kept).collect();
        let (coverage, coverages) = shares(&self.holds, &vec![Vec::new(); self.holds.len()], count, &kept);
        let (recall, recalls) = shares(&self.reached, &self.rescued, count, &kept);
        Ok(Manifolds {
            precision: jackknife::share(precision, &precisions, level),
            recall: jackknife::share(recall, &recalls, level),
            density: jackknife::estimate(density / k as f64, &over_k, level, POSITIVE),
            coverage: jackknife::share(coverage, &coverages, level),
        })
    }
}

/// The share of rows that some cluster serves, and the same without each cluster.
fn shares(
    served: &[Which],
    rescued: &[Vec<(usize, usize)>],
    count: usize,
    kept: &[usize],
) -> (f64, Vec<Without>) {
    let mut change = vec![0_i64; count];
    let mut base = 0_i64;
    for (which, rescues) in served.iter().zip(rescued) {
        base += i64::from(*which != Which::None);
        match which {
            Which::Several => {}
            // Lost without its only cluster, unless another one's ball grows to reach it.
            Which::One(only) => change[*only] -= i64::from(!rescues.iter().any(|(gone, _)| gone == only)),
            Which::None => {
                let mut gone: Vec<usize> = rescues.iter().map(|(gone, _)| *gone).collect();
                gone.sort_unstable();
                gone.dedup();
                gone.into_iter().for_each(|cluster| change[cluster] += 1);
            }
        }
    }
    let n = served.len() as f64;
    let without = change.iter().zip(kept).map(|(d, kept)| (*kept, (base + d) as f64 / n)).collect();
    (base as f64 / n, without)
}
