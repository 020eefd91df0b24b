//! A log as it comes, in memory that does not grow with it: sums by cluster are all that the estimators need.

use super::estimator::Terms;
use super::overlap::Overlap;
use super::report::{OpeReport, OpeRow, families};
use super::tuning::{Family, agreeing};
use super::weights::WeightCounts;
use super::{Estimator, bounds};
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};

/// A round, with what the estimators need of the policy and the reward model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// What it earned; finite.
    pub reward: f64,
    /// The policy's probability of the action taken over the logging policy's, 0 or more and finite.
    pub weight: f64,
    /// Whether the policy takes that action for certain.
    pub matched: bool,
    /// A model's expected reward of the action, and its mean over the policy; finite.
    pub model: Option<[f64; 2]>,
}

/// Columns of a cluster before those of the estimators.
const COUNT: usize = 0;
const REWARD: usize = 1;
const WEIGHT: usize = 2;
const MATCHED: usize = 3;
const BASE: usize = 4;
const FIRST: usize = 5;

/// What one policy's estimators need of the rounds so far: some 20 numbers a cluster without a reward model, 50 with one.
#[derive(Debug, Clone)]
pub struct Tally {
    estimators: Vec<Estimator>,
    /// Clusters x columns, a cluster's columns together.
    cells: Vec<f64>,
    columns: usize,
    /// For each estimator, of its rounds' values, less `shifts`: their sum and their sum of squares.
    spread: Vec<[f64; 2]>,
    /// The first round's values: near to all others, so that the variance is no difference of large numbers.
    shifts: Vec<f64>,
    weights: WeightCounts,
    rounds: u64,
    modelled: bool,
}

impl Tally {
    /// Of no rounds yet; `modelled` says whether they will have a reward model's predictions.
    pub fn new(modelled: bool) -> Self {
        let mut estimators = vec![Estimator::Replay];
        for (family, grid) in families(modelled) {
            estimators.extend(grid.iter().map(|value| family.with(*value)));
        }
        Self {
            columns: FIRST + estimators.len(),
            spread: vec![[0.0; 2]; estimators.len()],
            shifts: vec![0.0; estimators.len()],
            estimators,
            cells: Vec::new(),
            weights: WeightCounts::default(),
            rounds: 0,
            modelled,
        }
    }

    /// Adds a round of a cluster, numbered from 0. After one without a prediction the reward model is left out of the report.
    ///
    /// # Panics
    /// For values that are not finite or a weight below 0: callers check what comes from outside.
    pub fn add(&mut self, cluster: usize, round: Round) {
        assert!(round.reward.is_finite() && round.weight >= 0.0 && round.weight.is_finite());
        assert!(round.model.is_none_or(|q| q.iter().all(|q| q.is_finite())));
        self.modelled &= round.model.is_some();
        self.rounds += 1;
        self.weights.add(round.weight);
        let from = cluster * self.columns;
        if self.cells.len() < from + self.columns {
            self.cells.resize(from + self.columns, 0.0);
        }
        let cells = &mut self.cells[from..from + self.columns];
        cells[COUNT] += 1.0;
        cells[REWARD] += round.reward;
        cells[WEIGHT] += round.weight;
        cells[MATCHED] += f64::from(u8::from(round.matched));
        // Without a model a round that earned nothing adds nothing more, and most rounds earn nothing.
        if !self.modelled && round.reward == 0.0 {
            return;
        }
        let shown = if self.modelled { round } else { Round { model: None, ..round } };
        cells[BASE] += shown.model.map_or(0.0, |q| q[1]);
        let first = self.rounds == 1 && self.modelled;
        for (k, estimator) in self.estimators.iter().enumerate() {
            if estimator.needs_model() && !self.modelled {
                continue;
            }
            let Terms { base, part, .. } = estimator.terms_of(&shown);
            cells[FIRST + k] += part;
            if first {
                self.shifts[k] = base + part;
            }
            let off = base + part - self.shifts[k];
            self.spread[k][0] += off;
            self.spread[k][1] += off * off;
        }
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Clusters so far.
    pub fn clusters(&self) -> usize {
        self.cells.len() / self.columns
    }

    /// Makes one cluster of all.
    pub fn merge_clusters(&mut self) {
        let mut sum = vec![0.0; self.columns];
        for cells in self.cells.chunks_exact(self.columns) {
            sum.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += cell);
        }
        self.cells = sum;
    }

    /// Evaluates the policy by every estimator that the rounds have what it needs for; replay only where the policy is certain
    /// of some logged action.
    ///
    /// # Errors
    /// [`EvalError::TooFew`] below two rounds, or when no logged action has any weight under the policy;
    /// [`EvalError::BadOption`].
    pub fn report(&self, bootstrap: &Bootstrap) -> Result<OpeReport> {
        if self.rounds < 2 {
            let (what, got) = ("an off-policy estimate".into(), self.rounds as usize);
            return Err(EvalError::TooFew { what, got, needed: 2 });
        }
        let mut rows = Vec::new();
        if self.total(MATCHED) > 0.0 {
            rows.push((Estimator::Replay, false));
        }
        rows.extend([(Estimator::Ipw { clip: f64::INFINITY }, false), (Estimator::Snipw, false)]);
        if self.modelled {
            rows.push((Estimator::DirectMethod, false));
            rows.extend([(Estimator::Dr { clip: f64::INFINITY }, false), (Estimator::Sndr, false)]);
        }
        for (family, grid) in families(self.modelled) {
            rows.push((self.choose(family, grid), true));
        }
        let estimators: Vec<Estimator> = rows.iter().map(|row| row.0).collect();
        let (logged, mean_weight, values) = self.values(&estimators, bootstrap)?;
        let estimates = rows.into_iter().zip(values);
        let estimates =
            estimates.map(|((estimator, tuned), value)| OpeRow { estimator, tuned, value }).collect();
        Ok(OpeReport { overlap: Overlap::of(mean_weight, &self.weights)?, logged, estimates })
    }

    /// Differences of policies on the same rounds, or of a policy and what the log earned (`None`), by SNIPW with BCa intervals
    /// over clusters. Both are computed on each resample, so what they share cancels.
    ///
    /// # Errors
    /// [`EvalError::SizeMismatch`] when the rounds are not the same ones; [`EvalError::TooFew`]; [`EvalError::BadOption`].
    pub fn differences(pairs: &[(&Self, Option<&Self>)], bootstrap: &Bootstrap) -> Result<Vec<Estimate>> {
        let counts = |tally: &Self| (0..tally.clusters()).map(|c| tally.cell(c, COUNT)).collect::<Vec<_>>();
        let of = |tally: &Self| [tally.part(Estimator::Snipw), WEIGHT];
        let Some((first, _)) = pairs.first() else { return Ok(Vec::new()) };
        let rounds = counts(first);
        let mut sums = Sums::new(first.clusters(), 1 + 4 * pairs.len());
        (0..rounds.len()).for_each(|cluster| sums.add(cluster, 0, rounds[cluster]));
        for (k, (a, b)) in pairs.iter().enumerate() {
            let (b, others) = b.map_or((*a, [REWARD, COUNT]), |b| (b, of(b)));
            if let Some(other) = [*a, b].into_iter().find(|tally| counts(tally) != rounds) {
                let (got, want) = (other.rounds as usize, first.rounds as usize);
                return Err(super::log::mismatch("the other policy's rounds", got, want));
            }
            for cluster in 0..rounds.len() {
                let [x, y] = of(a).map(|column| a.cell(cluster, column));
                let [v, w] = others.map(|column| b.cell(cluster, column));
                [x, y, v, w]
                    .into_iter()
                    .enumerate()
                    .for_each(|(at, value)| sums.add(cluster, 1 + 4 * k + at, value));
            }
        }
        let found = sums.estimates(bootstrap, pairs.len(), |s, out| {
            for (out, s) in out.iter_mut().zip(s[1..].chunks_exact(4)) {
                *out = s[0] / s[1] - s[2] / s[3];
            }
        })?;
        let what = || "a difference of policies (logged actions that both would take)".to_owned();
        found
            .into_iter()
            .map(|d| d.ok_or_else(|| EvalError::TooFew { what: what(), got: 0, needed: 1 }))
            .collect()
    }

    fn cell(&self, cluster: usize, column: usize) -> f64 {
        self.cells[cluster * self.columns + column]
    }

    fn total(&self, column: usize) -> f64 {
        (0..self.clusters()).map(|cluster| self.cell(cluster, column)).sum()
    }

    /// The column of an estimator's parts. Self-normalised ones share theirs with the unbounded member of their family.
    fn part(&self, estimator: Estimator) -> usize {
        let kept = match estimator {
            Estimator::Snipw => Estimator::Ipw { clip: f64::INFINITY },
            Estimator::Sndr => Estimator::Dr { clip: f64::INFINITY },
            other => other,
        };
        self.estimators.iter().position(|e| *e == kept).map_or(BASE, |at| FIRST + at)
    }

    /// What the log earned, the mean weight, and the value by each estimator, all on the same resamples.
    fn values(
        &self,
        estimators: &[Estimator],
        bootstrap: &Bootstrap,
    ) -> Result<(Estimate, Option<Estimate>, Vec<Estimate>)> {
        let mut columns = vec![COUNT, REWARD, WEIGHT, MATCHED, BASE];
        columns.extend(estimators.iter().map(|e| self.part(*e)));
        let mut sums = Sums::new(self.clusters(), columns.len());
        for cluster in 0..self.clusters() {
            columns.iter().enumerate().for_each(|(k, c)| sums.add(cluster, k, self.cell(cluster, *c)));
        }
        let found = sums.estimates(bootstrap, 2 + estimators.len(), |s, out| {
            out[0] = s[REWARD] / s[COUNT];
            out[1] = s[WEIGHT] / s[COUNT];
            for (k, estimator) in estimators.iter().enumerate() {
                let base = if estimator.needs_model() { s[BASE] / s[COUNT] } else { 0.0 };
                let norm = match estimator {
                    Estimator::Replay => MATCHED,
                    Estimator::Snipw | Estimator::Sndr => WEIGHT,
                    _ => COUNT,
                };
                let direct = *estimator == Estimator::DirectMethod;
                out[2 + k] = base + if direct { 0.0 } else { s[FIRST + k] / s[norm] };
            }
        })?;
        let mut found = found.into_iter();
        let logged = found.next().flatten().ok_or_else(|| self.no_support())?;
        let mean_weight = found.next().flatten();
        let values = found.map(|value| value.ok_or_else(|| self.no_support())).collect::<Result<_>>()?;
        Ok((logged, mean_weight, values))
    }

    fn no_support(&self) -> EvalError {
        let rounds = self.rounds;
        let what =
            format!("an off-policy value (logged actions that the policy would take, of {rounds} rounds)");
        EvalError::TooFew { what, got: 0, needed: 1 }
    }

    /// SLOPE's member of a family, as [`super::tuning::choose`] finds it.
    fn choose(&self, family: Family, grid: &[f64]) -> Estimator {
        let grid = family.ordered(grid);
        let n = self.rounds as f64;
        let (mut means, mut widths) = (Vec::new(), Vec::new());
        for value in &grid {
            let at = self.part(family.with(*value)) - FIRST;
            let [sum, square] = self.spread[at];
            let variance = ((square - sum * sum / n) / (n - 1.0)).max(0.0);
            means.push(self.shifts[at] + sum / n);
            widths.push(bounds::student_reach(variance, n, super::report::DELTA));
        }
        family.with(grid[agreeing(&means, &widths)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ope::{Reduced, Rounds, difference, report};

    fn reduced(second: f64, modelled: bool) -> Reduced {
        let n = 400;
        let both = [1.0 - second, second];
        Reduced {
            reward: (0..n).map(|i| f64::from(u8::from(i % 7 == 0 || i % 11 == 3))).collect(),
            propensity: (0..n).map(|i| 0.02 + 0.9 * ((i * 37) % 101) as f64 / 101.0).collect(),
            probability: (0..n).map(|i| both[i % 2]).collect(),
            model: modelled.then(|| {
                (0..n).map(|i| [0.1 + 0.001 * (i % 90) as f64, 0.2 + 0.0005 * (i % 50) as f64]).collect()
            }),
            cluster: Some((0..n).map(|i| i / 8).collect()),
        }
    }

    fn tally(rounds: &Rounds, modelled: bool) -> Tally {
        let mut tally = Tally::new(modelled);
        (0..rounds.len()).for_each(|row| tally.add(row / 8, rounds.round(row)));
        tally
    }

    #[test]
    fn a_stream_has_the_report_of_the_rounds() {
        let bootstrap = Bootstrap { resamples: 300, ..Bootstrap::default() };
        for (second, modelled) in [(0.3, false), (0.3, true), (0.0, true)] {
            let rounds = reduced(second, modelled).rounds().unwrap();
            let (whole, stream) =
                (report(&rounds, &bootstrap).unwrap(), tally(&rounds, modelled).report(&bootstrap).unwrap());
            let alike = |a: &Estimate, b: &Estimate| {
                let ends = |e: &Estimate| [e.value, e.low.unwrap(), e.high.unwrap()];
                ends(a).iter().zip(ends(b)).all(|(a, b)| (a - b).abs() < 1e-12) && a.n == b.n
            };
            assert_eq!(whole.estimates.len(), stream.estimates.len());
            for (a, b) in whole.estimates.iter().zip(&stream.estimates) {
                assert_eq!((a.estimator, a.tuned), (b.estimator, b.tuned));
                assert!(alike(&a.value, &b.value), "{}: {:?} {:?}", a.estimator, a.value, b.value);
            }
            assert!(alike(&whole.logged, &stream.logged));
            let (a, b) = (&whole.overlap, &stream.overlap);
            assert!((a.effective_sample_size - b.effective_sample_size).abs() < 1e-9);
            assert_eq!(
                (a.quantiles, a.largest_weight, a.zero_share),
                (b.quantiles, b.largest_weight, b.zero_share)
            );
        }
    }

    #[test]
    fn a_difference_is_that_of_the_rounds_and_needs_the_same_ones() {
        let bootstrap = Bootstrap { resamples: 300, ..Bootstrap::default() };
        let (a, b) = (reduced(0.7, false).rounds().unwrap(), reduced(0.6, false).rounds().unwrap());
        let (x, y) = (tally(&a, false), tally(&b, false));
        let near = |a: Estimate, b: Estimate| {
            (a.value - b.value).abs() < 1e-12 && (a.low.unwrap() - b.low.unwrap()).abs() < 1e-12
        };
        let whole = difference(&a, &b, Estimator::Snipw, &bootstrap).unwrap();
        let found = Tally::differences(&[(&x, Some(&y)), (&x, None)], &bootstrap).unwrap();
        assert!(near(whole, found[0]));
        let whole = difference(&a, &a.as_logged(), Estimator::Snipw, &bootstrap).unwrap();
        assert!(near(whole, found[1]));
        let mut merged = y.clone();
        merged.merge_clusters();
        assert_eq!((merged.clusters(), merged.rounds()), (1, 400));
        assert!(Tally::differences(&[(&x, Some(&merged))], &bootstrap).is_err());
    }

    #[test]
    fn a_round_without_a_prediction_takes_the_model_out() {
        let mut tally = Tally::new(true);
        let round = |model| Round { reward: 1.0, weight: 0.5, matched: false, model };
        tally.add(0, round(Some([0.1, 0.2])));
        tally.add(1, round(None));
        tally.add(2, round(Some([0.1, 0.2])));
        let found = tally.report(&Bootstrap { resamples: 200, ..Bootstrap::default() }).unwrap();
        assert!(found.estimates.iter().all(|row| !row.estimator.needs_model()));
        let snipw = found.estimates.iter().find(|row| row.estimator == Estimator::Snipw).unwrap();
        assert!((snipw.value.value - 1.0).abs() < 1e-15);
    }
}
