//! Clicks and impressions of creatives, in all or by day, with models' scores and features.

use super::error::{Problem, Reason};
use super::layout::{Column, Layout, Shape};
use super::names::Names;
use super::pairs::check_clicks;
use super::read::{Row, Table};
use adeval_eval::pairs::Arm;
use adeval_eval::ranking::{Creative, Day};
use std::collections::{BTreeMap, HashMap};

pub(super) const PRODUCT: usize = 0;
pub(super) const CREATIVE: usize = 1;
pub(super) const IMPRESSIONS: usize = 2;
pub(super) const CLICKS: usize = 3;
const DAY: usize = 4;
const SCORE: usize = 5;

pub(super) const SHAPE: Shape = Shape {
    name: "creative totals",
    columns: &[
        Column::required("product"),
        Column::required("creative"),
        Column::required("impressions"),
        Column::required("clicks"),
        Column::optional("day"),
        Column::optional("score"),
        Column::optional("category"),
        Column::optional("smoothed_ctr"),
    ],
    families: &["score_", "feature_"],
};

/// What is known of one creative.
#[derive(Debug, Default)]
struct Known {
    days: BTreeMap<u32, Day>,
    scores: Vec<f64>,
    features: Vec<f64>,
}

/// The creatives of a file.
#[derive(Debug, Default)]
pub struct CreativeTotals {
    products: Names,
    creatives: HashMap<(u32, Box<str>), usize>,
    known: Vec<Known>,
    of_product: Vec<Vec<usize>>,
    days: Names,
    /// Models with the cells of their scores.
    models: Vec<(String, usize)>,
    features: Vec<usize>,
}

impl CreativeTotals {
    /// Names of the models that give scores.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.models.iter().map(|(name, _)| name.as_str())
    }

    /// Whether creatives have features.
    pub fn has_features(&self) -> bool {
        !self.features.is_empty()
    }

    /// Different days.
    pub fn days(&self) -> usize {
        self.days.len()
    }

    /// Products by name with the names of their creatives, in the order of the file, and clicks and impressions over all days.
    pub fn by_name(&self) -> Vec<(String, Vec<(String, Arm)>)> {
        let mut names = vec![""; self.known.len()];
        self.creatives.iter().for_each(|((_, name), at)| names[*at] = name);
        let arm = |at: usize| {
            let days = self.known[at].days.values();
            days.fold(Arm { clicks: 0, impressions: 0 }, |sum, day| Arm {
                clicks: sum.clicks + day.clicks,
                impressions: sum.impressions + day.impressions,
            })
        };
        let of = |(product, creatives): (usize, &Vec<usize>)| {
            let creatives = creatives.iter().map(|&at| (names[at].to_owned(), arm(at)));
            (self.products.name(product as u32).to_owned(), creatives.collect())
        };
        self.of_product.iter().enumerate().map(of).collect()
    }

    /// Products with their creatives, scored by a model (its place among [`CreativeTotals::models`]). Days are in the order
    /// of their names, numbers by size.
    pub fn products(&self, model: Option<usize>) -> Vec<Vec<Creative>> {
        let mut order: Vec<u32> = (0..self.days.len() as u32).collect();
        let key = |day: &u32| {
            let name = self.days.name(*day);
            (name.parse::<i64>().unwrap_or(i64::MAX), name.to_owned())
        };
        order.sort_by_key(key);
        let of = |&known: &usize| {
            let known = &self.known[known];
            Creative {
                score: model.map(|m| known.scores[m]),
                features: known.features.clone(),
                days: order.iter().map(|d| known.days.get(d).copied().unwrap_or_default()).collect(),
            }
        };
        self.of_product.iter().map(|creatives| creatives.iter().map(of).collect()).collect()
    }
}

impl Table for CreativeTotals {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        if layout.has(SCORE) {
            self.models.push(("score".into(), SCORE));
        }
        self.models.extend(layout.family("score_").map(|(cell, name)| (name.to_owned(), cell)));
        self.features = layout.family("feature_").map(|(cell, _)| cell).collect();
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let (product, creative) = (row.name(PRODUCT)?, row.name(CREATIVE)?);
        let (impressions, clicks) = (row.count(IMPRESSIONS)?, row.count(CLICKS)?);
        check_clicks(row, CLICKS, clicks, impressions)?;
        let day = row.optional_name(DAY)?;
        let numbers = |cells: &mut dyn Iterator<Item = usize>| {
            cells.map(|cell| row.number(cell)).collect::<Result<Vec<_>, _>>()
        };
        let scores = numbers(&mut self.models.iter().map(|m| m.1))?;
        let features = numbers(&mut self.features.iter().copied())?;
        let day = day.as_deref().unwrap_or("");
        let product = self.products.number(&product);
        let at = self.creatives.get(&(product, Box::from(&*creative))).copied();
        let Some(at) = at else {
            self.creatives.insert((product, Box::from(&*creative)), self.known.len());
            self.of_product.resize(self.products.len(), Vec::new());
            self.of_product[product as usize].push(self.known.len());
            let days = BTreeMap::from([(self.days.number(day), Day { clicks, impressions })]);
            self.known.push(Known { days, scores, features });
            return Ok(());
        };
        let known = &mut self.known[at];
        if self.days.find(day).is_some_and(|day| known.days.contains_key(&day)) {
            let message = format!(
                "creative {creative:?} of this product was there before; add its rows up, or tell days apart in a column \"day\""
            );
            return Err(row.at(CREATIVE, Problem::new(Reason::Duplicate, message)));
        }
        if known.scores != scores || known.features != features {
            let message = format!(
                "creative {creative:?} had another score or feature on an earlier day; give it the same on all"
            );
            return Err(row.at(CREATIVE, Problem::new(Reason::OutOfRange, message)));
        }
        known.days.insert(self.days.number(day), Day { clicks, impressions });
        Ok(())
    }
}
