//! Pairs of creatives with clicks, and a judge's answers about them.

use super::error::{Problem, Reason};
use super::layout::{Column, Layout, Shape};
use super::names::Names;
use super::read::{Row, Table};
use adeval_eval::pairs::{Arm, Pair};
use std::collections::HashSet;

pub(super) const PRODUCT: usize = 0;
const LEFT: usize = 1;
const RIGHT: usize = 2;
const LEFT_CLICKS: usize = 3;
const LEFT_IMPRESSIONS: usize = 4;
const RIGHT_CLICKS: usize = 5;
const RIGHT_IMPRESSIONS: usize = 6;
const P_LEFT: usize = 7;
const P_LEFT_SWAPPED: usize = 8;
const LEFT_CTR: usize = 9;
const RIGHT_CTR: usize = 10;
const CATEGORY: usize = 11;
/// Creative, clicks and impressions of either side.
pub(super) const SIDES: [(usize, usize, usize); 2] =
    [(LEFT, LEFT_CLICKS, LEFT_IMPRESSIONS), (RIGHT, RIGHT_CLICKS, RIGHT_IMPRESSIONS)];

pub(super) const SHAPE: Shape = Shape {
    name: "judged pairs",
    columns: &[
        Column::required("product"),
        Column::required("left"),
        Column::required("right"),
        Column::required("left_clicks"),
        Column::required("left_impressions"),
        Column::required("right_clicks"),
        Column::required("right_impressions"),
        Column::optional("p_left"),
        Column::optional("p_left_swapped"),
        Column::optional("left_predicted_ctr"),
        Column::optional("right_predicted_ctr"),
        Column::optional("category"),
        Column::optional("left_smoothed_ctr"),
        Column::optional("right_smoothed_ctr"),
    ],
    families: &[],
};

/// How a judge was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// About two creatives at once: `p_left`, `p_left_swapped`.
    Pairwise,
    /// About one creative at a time: P(left) = left / (left + right) of the predicted CTRs.
    Pointwise,
}

/// The pairs of a file, once for each way in which the judge was asked.
#[derive(Debug, Default)]
pub struct JudgedPairs {
    products: Names,
    creatives: Names,
    seen: HashSet<(u32, u32, u32)>,
    asked: Vec<Judge>,
    /// By judge, in the order of `asked`.
    pairs: Vec<Vec<Pair>>,
    /// Whether pairs without a judge's answers are taken, too.
    unanswered: bool,
}

impl JudgedPairs {
    /// Takes pairs that no judge was asked about, too.
    pub fn without_answers() -> Self {
        Self { unanswered: true, ..Self::default() }
    }

    /// Judges with their pairs.
    pub fn judges(self) -> impl Iterator<Item = (Judge, Vec<Pair>)> {
        self.asked.into_iter().zip(self.pairs)
    }
}

impl Table for JudgedPairs {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        if layout.has(P_LEFT) || layout.has(P_LEFT_SWAPPED) {
            self.asked.push(Judge::Pairwise);
        }
        if layout.has(LEFT_CTR) != layout.has(RIGHT_CTR) {
            return Err(
                "predicted CTRs need both columns, \"left_predicted_ctr\" and \"right_predicted_ctr\"".into(),
            );
        }
        if layout.has(LEFT_CTR) {
            self.asked.push(Judge::Pointwise);
        }
        if self.asked.is_empty() && !self.unanswered {
            return Err(
                "the judge's answers are missing; give column \"p_left\" (and \"p_left_swapped\"), or \
                \"left_predicted_ctr\" and \"right_predicted_ctr\""
                    .into(),
            );
        }
        self.pairs = vec![Vec::new(); self.asked.len()];
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let (product, left, right) = (row.name(PRODUCT)?, row.name(LEFT)?, row.name(RIGHT)?);
        if left == right {
            let message =
                format!("creative {left:?} is paired with itself; a pair needs two creatives of one product");
            return Err(row.at(RIGHT, Problem::new(Reason::SameCreative, message)));
        }
        let first = arm(row, LEFT_CLICKS, LEFT_IMPRESSIONS)?;
        let second = arm(row, RIGHT_CLICKS, RIGHT_IMPRESSIONS)?;
        let category = row.optional_name(CATEGORY)?.map(String::from);
        let answers = self.asked.iter().map(|judge| answer(row, *judge)).collect::<Result<Vec<_>, _>>()?;
        let creatives = [self.creatives.number(&left), self.creatives.number(&right)];
        let number = self.products.number(&product);
        if !self.seen.insert((number, creatives[0].min(creatives[1]), creatives[0].max(creatives[1]))) {
            let message = format!(
                "the pair of {left:?} and {right:?} of product {product:?} was there before; keep one row a pair, \
                 with the other order's answer in \"p_left_swapped\""
            );
            return Err(row.at(LEFT, Problem::new(Reason::Duplicate, message)));
        }
        for (pairs, (first_left, second_left)) in self.pairs.iter_mut().zip(answers) {
            let (product, category) = (number as usize, category.clone());
            pairs.push(Pair { product, category, first, second, first_left, second_left });
        }
        Ok(())
    }
}

fn arm(row: &Row<'_>, clicks: usize, impressions: usize) -> Result<Arm, Problem> {
    let arm = Arm { clicks: row.count(clicks)?, impressions: row.count(impressions)? };
    if arm.impressions == 0 {
        let message = "the creative was never shown; leave out pairs without impressions";
        return Err(row.at(impressions, Problem::new(Reason::NeverShown, message)));
    }
    check_clicks(row, clicks, arm.clicks, arm.impressions)?;
    Ok(arm)
}

/// Refuses clicks above impressions.
pub(super) fn check_clicks(row: &Row<'_>, column: usize, clicks: u64, shown: u64) -> Result<(), Problem> {
    if clicks <= shown {
        return Ok(());
    }
    let message = format!("{clicks} clicks of {shown} impressions; count at most one click an impression");
    Err(row.at(column, Problem::new(Reason::ClicksAboveImpressions, message)))
}

/// P(left is preferred) with the first left, and with the second left.
fn answer(row: &Row<'_>, judge: Judge) -> Result<(Option<f64>, Option<f64>), Problem> {
    match judge {
        Judge::Pairwise => {
            let (straight, swapped) =
                (row.optional_probability(P_LEFT)?, row.optional_probability(P_LEFT_SWAPPED)?);
            if straight.is_none() && swapped.is_none() {
                let message = "the judge gave no answer in either order; leave the pair out";
                return Err(row.at(P_LEFT, Problem::new(Reason::Missing, message)));
            }
            // Files speak of the creative in column `left`; the other order has that one on the right.
            Ok((straight, swapped.map(|p| 1.0 - p)))
        }
        Judge::Pointwise => {
            let need = |column| {
                let missing =
                    || row.at(column, Problem::new(Reason::Missing, "there is no value; fill it in"));
                row.optional_probability(column)?.ok_or_else(missing)
            };
            let (left, right) = (need(LEFT_CTR)?, need(RIGHT_CTR)?);
            Ok((Some(if left + right > 0.0 { left / (left + right) } else { 0.5 }), None))
        }
    }
}
