//! From a judge's answers to win rates: both orders of a pair symmetrised, ties as half, products weighed alike.

use crate::statistics::check_probability;
use crate::{Bootstrap, ClusterTable, Estimate, EvalError, Result};
use std::collections::BTreeMap;

/// One question to a judge. Entries and products are numbers from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// The product that both creatives show.
    pub product: usize,
    /// Which of the samples.
    pub sample: u32,
    /// The entry shown left.
    pub left: usize,
    /// The entry shown right; another one than `left`.
    pub right: usize,
    /// The judge's probability that the left one is preferred, in [0, 1].
    pub p_left: f64,
}

/// A judge's answers, paired up. Of a pair (a, b) with a < b: P(a preferred) is the mean of what the two orders say; it
/// counts as a win above 0.5, as a tie (half a win) within the margin.
#[derive(Debug, Clone, PartialEq)]
pub struct Preferences {
    entries: usize,
    products: usize,
    /// Of (product, a, b), over samples.
    outcomes: BTreeMap<(usize, usize, usize), Outcomes>,
    /// How the two orders agree.
    pub orders: Orders,
}

/// What came of an entry's comparisons with another on a product.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Outcomes {
    /// Sum of outcomes: 1 for a win, 0.5 for a tie.
    pub points: f64,
    pub ties: f64,
    pub games: f64,
}

/// What asking in both orders shows about a judge.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Orders {
    /// Pairs of creatives compared.
    pub pairs: usize,
    /// Of them, asked in both orders.
    pub both: usize,
    /// Of those, answered alike: the same creative preferred, or a tie both times.
    pub consistent: usize,
    /// Sum over those of P(left) - 0.5, averaged over the two orders.
    pub left_excess: f64,
    /// Pairs that ended as ties.
    pub ties: usize,
}

impl Orders {
    /// Share of the pairs asked in both orders that were answered alike, in [0, 1].
    pub fn swap_consistency(&self) -> Option<f64> {
        (self.both > 0).then(|| self.consistent as f64 / self.both as f64)
    }

    /// Mean of P(left) - 0.5 over pairs asked in both orders, in [-0.5, 0.5]; 0 for a judge without position bias.
    pub fn position_bias(&self) -> Option<f64> {
        (self.both > 0).then(|| self.left_excess / self.both as f64)
    }
}

/// -1, 0 or 1: which side of 0.5, with a margin for ties.
fn side(p: f64, margin: f64) -> i8 {
    let gap = p - 0.5;
    if gap.abs() <= margin { 0 } else { gap.signum() as i8 }
}

impl Preferences {
    /// Pairs up the questions. The order of the questions does not matter.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] or [`EvalError::NotFinite`] for a probability, [`EvalError::Duplicate`] when the same
    /// question was asked twice, [`EvalError::Unknown`] when an index is too large or both sides are one entry.
    pub fn collect(entries: usize, products: usize, questions: &[Question], margin: f64) -> Result<Self> {
        let mut pairs = BTreeMap::<(usize, u32, usize, usize), [Option<f64>; 2]>::new();
        for q in questions {
            let place =
                || format!("product {} sample {}, entries {} and {}", q.product, q.sample, q.left, q.right);
            if q.left.max(q.right) >= entries || q.product >= products || q.left == q.right {
                let known = format!("{entries} entries, {products} products, two entries a question");
                return Err(EvalError::Unknown {
                    place: "comparison".into(),
                    what: "question",
                    name: place(),
                    known,
                });
            }
            check_probability(q.p_left, &place(), "P(left)")?;
            let (low, high) = (q.left.min(q.right), q.left.max(q.right));
            let slot =
                &mut pairs.entry((q.product, q.sample, low, high)).or_default()[usize::from(q.left != low)];
            if slot.replace(q.p_left).is_some() {
                return Err(EvalError::Duplicate { what: "comparison", name: place() });
            }
        }
        let mut out = Self { entries, products, outcomes: BTreeMap::new(), orders: Orders::default() };
        for ((product, _, low, high), answers) in pairs {
            let (outcome, tie) = out.orders.add(answers, margin);
            out.orders.ties += usize::from(tie);
            for (key, win) in [((product, low, high), outcome), ((product, high, low), 1.0 - outcome)] {
                let outcomes = out.outcomes.entry(key).or_default();
                outcomes.points += win;
                outcomes.ties += f64::from(u8::from(tie));
                outcomes.games += 1.0;
            }
        }
        Ok(out)
    }

    /// Number of entries.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Number of products, compared or not.
    pub fn products(&self) -> usize {
        self.products
    }

    /// Mean outcome (1 win, 0.5 tie, 0 loss) of `a` against `b` on each product where they met.
    pub fn duels(&self) -> impl Iterator<Item = (usize, usize, usize, f64)> + '_ {
        self.outcomes.iter().map(|(&(product, a, b), o)| (product, a, b, o.points / o.games))
    }

    /// The outcomes of `a` against `b` on each product where they met: (product, a, b, outcomes).
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (usize, usize, usize, Outcomes)> + '_ {
        self.outcomes.iter().map(|(&(product, a, b), o)| (product, a, b, *o))
    }

    /// For each product and entry, the mean outcome against the others that it met there.
    pub fn table(&self) -> ClusterTable {
        let mut sums = BTreeMap::<(usize, usize), (f64, f64)>::new();
        for (product, a, _, win) in self.duels() {
            let (sum, n) = sums.entry((product, a)).or_default();
            *sum += win;
            *n += 1.0;
        }
        let mut table = ClusterTable::new(self.products, self.entries);
        for ((product, entry), (sum, n)) in sums {
            table.set(product, entry, sum / n);
        }
        table
    }

    /// Win rate of each entry: its mean over products, with an interval; `None` for an entry that was never compared.
    ///
    /// # Errors
    /// [`EvalError::BadOption`].
    pub fn win_rates(&self, bootstrap: &Bootstrap) -> Result<Vec<Option<Estimate>>> {
        self.table().means(bootstrap, true)
    }

    /// Win rate of `pairs[k].0` against `pairs[k].1`, head to head.
    ///
    /// # Errors
    /// [`EvalError::BadOption`].
    pub fn head_to_head(
        &self,
        pairs: &[(usize, usize)],
        bootstrap: &Bootstrap,
    ) -> Result<Vec<Option<Estimate>>> {
        let index: BTreeMap<(usize, usize), usize> =
            pairs.iter().enumerate().map(|(k, pair)| (*pair, k)).collect();
        let mut table = ClusterTable::new(self.products, pairs.len());
        for (product, a, b, win) in self.duels() {
            if let Some(&k) = index.get(&(a, b)) {
                table.set(product, k, win);
            }
        }
        table.means(bootstrap, true)
    }
}

impl Orders {
    /// Takes in one pair's answers (lower entry left, higher entry left); the outcome for the lower entry, and whether
    /// it is a tie.
    fn add(&mut self, answers: [Option<f64>; 2], margin: f64) -> (f64, bool) {
        self.pairs += 1;
        let p = match answers {
            [Some(first), Some(second)] => {
                self.both += 1;
                self.consistent += usize::from(side(first, margin) == side(1.0 - second, margin));
                self.left_excess += f64::midpoint(first, second) - 0.5;
                f64::midpoint(first, 1.0 - second)
            }
            [Some(first), None] => first,
            [None, second] => 1.0 - second.unwrap_or(0.5),
        };
        let side = side(p, margin);
        (f64::midpoint(f64::from(side), 1.0), side == 0)
    }
}
