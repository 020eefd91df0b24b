//! What judges said about entries' creatives, two at a time.

use super::error::{Problem, Reason};
use super::layout::{Column, Layout, Shape};
use super::names::Names;
use super::read::{Row, Table};
use adeval_eval::Question;
use adeval_eval::comparison::krippendorff::Unit;
use std::collections::{BTreeMap, HashSet};

pub(super) const PRODUCT: usize = 0;
pub(super) const LEFT: usize = 1;
pub(super) const RIGHT: usize = 2;
const P_LEFT: usize = 3;
const WINNER: usize = 4;
const JUDGE: usize = 5;
const SAMPLE: usize = 6;

pub(super) const SHAPE: Shape = Shape {
    name: "judgements",
    columns: &[
        Column::required("product"),
        Column::required("left"),
        Column::required("right"),
        Column::optional("p_left"),
        Column::optional("winner"),
        Column::optional("judge"),
        Column::optional("sample"),
    ],
    families: &[],
};

/// The judgements of a file.
#[derive(Debug, Default)]
pub struct Judgements {
    /// Names of entries.
    pub entries: Names,
    /// Names of products.
    pub products: Names,
    /// Names of judges; one empty name without a column of them.
    pub judges: Names,
    samples: Names,
    questions: Vec<Vec<Question>>,
    seen: HashSet<(u32, u32, u32, u32, u32)>,
    probabilities: bool,
}

impl Judgements {
    /// What a judge was asked, and answered.
    pub fn questions(&self, judge: u32) -> &[Question] {
        &self.questions[judge as usize]
    }

    /// Pairs that were judged, with each judge's verdict about the entry that comes first by number: 1 won, 1/2 tied, 0 lost.
    /// Both orders of a pair are averaged first; a probability within `margin` of 1/2 is a tie.
    pub fn units(&self, margin: f64) -> Vec<Unit> {
        let mut asked: BTreeMap<(usize, u32, usize, usize), Vec<Vec<f64>>> = BTreeMap::new();
        for (judge, questions) in self.questions.iter().enumerate() {
            for q in questions {
                let first = q.left < q.right;
                let (low, high) = if first { (q.left, q.right) } else { (q.right, q.left) };
                let answers = asked
                    .entry((q.product, q.sample, low, high))
                    .or_insert_with(|| vec![Vec::new(); self.questions.len()]);
                answers[judge].push(if first { q.p_left } else { 1.0 - q.p_left });
            }
        }
        let verdict = |answers: Vec<f64>| {
            let mean = answers.iter().sum::<f64>() / answers.len() as f64;
            let side = if (mean - 0.5).abs() <= margin { 0.5 } else { f64::from(u8::from(mean > 0.5)) };
            (!answers.is_empty()).then_some(side)
        };
        let unit = |((cluster, _, _, _), answers): ((usize, u32, usize, usize), Vec<Vec<f64>>)| Unit {
            cluster,
            answers: answers.into_iter().map(verdict).collect(),
        };
        asked.into_iter().map(unit).collect()
    }

    /// Pairs that each judge was asked about, and those of them that were asked in one order only.
    pub fn pairs(&self) -> [u64; 2] {
        let mut found = [0; 2];
        for questions in &self.questions {
            let mut sides: BTreeMap<(usize, u32, usize, usize), u64> = BTreeMap::new();
            for q in questions {
                let pair = (q.product, q.sample, q.left.min(q.right), q.left.max(q.right));
                *sides.entry(pair).or_default() += 1;
            }
            found[0] += sides.len() as u64;
            found[1] += sides.values().filter(|asked| **asked == 1).count() as u64;
        }
        found
    }

    fn answer(&self, row: &Row<'_>, left: &str, right: &str) -> Result<f64, Problem> {
        if self.probabilities {
            let missing = || {
                let message = "there is no value; leave out questions without an answer";
                row.at(P_LEFT, Problem::new(Reason::Missing, message))
            };
            return row.optional_probability(P_LEFT)?.ok_or_else(missing);
        }
        let winner = row.name(WINNER)?;
        match &*winner {
            "left" => Ok(1.0),
            "right" => Ok(0.0),
            "tie" => Ok(0.5),
            name if name == left => Ok(1.0),
            name if name == right => Ok(0.0),
            name => {
                let message = format!("{name:?} is neither left, right, tie nor one of the two entries");
                Err(row.at(WINNER, Problem::new(Reason::OutOfRange, message)))
            }
        }
    }
}

impl Table for Judgements {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        self.probabilities = layout.has(P_LEFT);
        match (self.probabilities, layout.has(WINNER)) {
            (true, true) => Err(
                "there are both \"p_left\" and \"winner\"; which one counts? Pass the other with --ignore"
                    .into(),
            ),
            (false, false) => Err(
                "the answers are missing; give column \"p_left\" (0 to 1), or \"winner\" (left, right, tie)"
                    .into(),
            ),
            _ => Ok(()),
        }
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let (product, left, right) = (row.name(PRODUCT)?, row.name(LEFT)?, row.name(RIGHT)?);
        if left == right {
            let message = format!("entry {left:?} is compared with itself; a judgement needs two entries");
            return Err(row.at(RIGHT, Problem::new(Reason::SameCreative, message)));
        }
        let p_left = self.answer(row, &left, &right)?;
        let (judge, sample) = (row.optional_name(JUDGE)?, row.optional_name(SAMPLE)?);
        let (judge, sample) = (judge.unwrap_or_default(), sample.unwrap_or_default());
        let judge = self.judges.number(&judge);
        let (sample, product) = (self.samples.number(&sample), self.products.number(&product));
        let (a, b) = (self.entries.number(&left), self.entries.number(&right));
        self.questions.resize(self.judges.len(), Vec::new());
        if !self.seen.insert((judge, product, sample, a, b)) {
            let message = format!(
                "this judge was asked before about {left:?} left of {right:?} for this product; keep one answer, or tell \
                 samples apart in a column \"sample\""
            );
            return Err(row.at(LEFT, Problem::new(Reason::Duplicate, message)));
        }
        let (product, left, right) = (product as usize, a as usize, b as usize);
        self.questions[judge as usize].push(Question { product, sample, left, right, p_left });
        Ok(())
    }
}
