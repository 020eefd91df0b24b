//! A table looked at as a whole, to say what is wrong and what is odd before anything is computed from it.

use super::decisions::Decision;
use super::error::Problem;
use super::judgements::Judgements;
use super::layout::{Layout, Shape};
use super::pairs::JudgedPairs;
use super::policies::Policies;
use super::read::{Row, Table};
use super::seen::Seen;
use super::slates::SlateRows;
use super::totals::CreativeTotals;
use super::{decisions, error::Reason, judgements, pairs, policies, slates, totals};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The tables that adeval reads.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// A bandit log.
    Decisions,
    /// Pairs of creatives with clicks, with a judge's answers or without.
    Pairs,
    /// Clicks and impressions of creatives.
    Totals,
    /// Policies to be evaluated.
    Policies,
    /// What judges said about entries' creatives.
    Judgements,
    /// A log of slates.
    Slates,
}

impl TableKind {
    /// The kind that a file's columns are of: the one whose required columns are there.
    pub fn of(header: &[String]) -> Option<Self> {
        let has = |name: &str| header.iter().any(|h| h.trim() == name);
        let begins = |prefix: &str| header.iter().any(|h| h.trim().starts_with(prefix));
        if has("left") && has("right") {
            // Pairs are of creatives with clicks, judgements of entries.
            let judged = (has("p_left") || has("winner")) && !has("left_clicks");
            Some(if judged { Self::Judgements } else { Self::Pairs })
        } else if has("impressions") && has("clicks") {
            Some(Self::Totals)
        } else if has("propensity") && has("slate") && begins("probability") {
            Some(Self::Slates)
        } else if has("propensity") {
            Some(Self::Decisions)
        } else if has("probability") || has("score") {
            Some(Self::Policies)
        } else {
            None
        }
    }
}

/// What a table holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Inventory {
    /// Different products.
    pub products: u64,
    /// Different creatives, those of different products apart.
    pub creatives: u64,
    /// Products with one creative only: nothing to choose there.
    pub single: u64,
    /// Impressions in all; a decision is one.
    pub impressions: u64,
    /// Clicks in all; absent for rewards that are no clicks, for policies and for judgements.
    pub clicks: Option<u64>,
    /// Smallest and largest propensity.
    pub propensity: Option<[f64; 2]>,
    /// Creatives without an impression.
    pub never_shown: u64,
    /// Different entries, of judgements.
    pub entries: Option<u64>,
    /// Different judges.
    pub judges: Option<u64>,
    /// Pairs that were judged, and those that were asked about in one order only.
    pub pairs: Option<[u64; 2]>,
    /// Slates.
    pub slates: Option<u64>,
    /// Rows whose repetition was not checked, since too many came before.
    pub unchecked: u64,
}

/// Takes any of the tables.
#[derive(Debug)]
pub struct Checked {
    kind: TableKind,
    pairs: JudgedPairs,
    totals: CreativeTotals,
    policies: Policies,
    judgements: Judgements,
    slates: SlateRows,
    shown: HashMap<Box<str>, HashMap<Box<str>, u64>>,
    ids: Seen,
    has: [bool; 3],
    inventory: Inventory,
}

impl Checked {
    /// Nothing yet.
    pub fn new(kind: TableKind) -> Self {
        Self {
            kind,
            pairs: JudgedPairs::without_answers(),
            totals: CreativeTotals::default(),
            policies: Policies::default(),
            judgements: Judgements::default(),
            slates: SlateRows::default(),
            shown: HashMap::new(),
            ids: Seen::default(),
            has: [false; 3],
            inventory: Inventory::default(),
        }
    }

    /// After the last row: what was there, and what rows that are right one by one get wrong together.
    pub fn finish(mut self) -> (Inventory, Option<String>) {
        let together = match self.kind {
            TableKind::Policies => self.policies.complete(0.0, None).err(),
            TableKind::Slates => self.slates.holes(),
            _ => None,
        };
        let counts = self.shown.values();
        self.inventory.products = self.shown.len() as u64;
        self.inventory.creatives = counts.clone().map(|c| c.len() as u64).sum();
        self.inventory.single = counts.clone().filter(|c| c.len() == 1).count() as u64;
        if self.kind == TableKind::Judgements {
            self.inventory.entries = Some(self.judgements.entries.len() as u64);
            self.inventory.judges = Some(self.judgements.judges.len() as u64);
            self.inventory.pairs = Some(self.judgements.pairs());
        }
        if self.kind == TableKind::Slates {
            self.inventory.slates = Some(self.slates.slates()[0] as u64);
        }
        if self.kind == TableKind::Totals {
            self.inventory.never_shown = counts.flat_map(HashMap::values).filter(|n| **n == 0).count() as u64;
        }
        self.inventory.unchecked = self.ids.unchecked();
        (self.inventory, together)
    }

    fn show(&mut self, product: &str, creative: &str, impressions: u64) {
        self.inventory.impressions += impressions;
        if !self.shown.contains_key(product) {
            self.shown.insert(product.into(), HashMap::new());
        }
        let Some(of) = self.shown.get_mut(product) else { return };
        match of.get_mut(creative) {
            Some(known) => *known += impressions,
            None => {
                of.insert(creative.into(), impressions);
            }
        }
    }

    fn click(&mut self, clicks: u64) {
        *self.inventory.clicks.get_or_insert(0) += clicks;
    }

    fn chance(&mut self, p: f64) {
        let [low, high] = self.inventory.propensity.unwrap_or([p, p]);
        self.inventory.propensity = Some([low.min(p), high.max(p)]);
    }

    /// A position of a slate. Slates may have no product: all are of one then.
    fn slate(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        self.slates.row(row)?;
        self.chance(row.number(slates::PROPENSITY)?);
        if self.slates.clicks() {
            self.click(row.zero_or_one(slates::CLICKED)? as u64);
        }
        let product = row.optional_name(slates::PRODUCT)?.unwrap_or_default();
        self.show(&product, &row.name(slates::CREATIVE)?, 1);
        Ok(())
    }

    fn decision(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let [clicks, named, clustered] = self.has;
        let decision = Decision::of(row, clicks, named, clustered)?;
        if let Some(id) = &decision.id
            && !self.ids.is_new(&[id])
        {
            return Err(decisions::repeated(row, id));
        }
        self.chance(decision.propensity);
        if clicks {
            self.click(decision.reward as u64);
        }
        self.show(&decision.product, &decision.creative, 1);
        Ok(())
    }
}

impl Table for Checked {
    fn shape(&self) -> &'static Shape {
        match self.kind {
            TableKind::Decisions => &decisions::SHAPE,
            TableKind::Pairs => &pairs::SHAPE,
            TableKind::Totals => &totals::SHAPE,
            TableKind::Policies => &policies::SHAPE,
            TableKind::Judgements => &judgements::SHAPE,
            TableKind::Slates => &slates::SHAPE,
        }
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        match self.kind {
            TableKind::Decisions => {
                self.has = decisions::columns(layout)?;
                Ok(())
            }
            TableKind::Pairs => self.pairs.begin(layout),
            TableKind::Totals => self.totals.begin(layout),
            TableKind::Policies => self.policies.begin(layout),
            TableKind::Judgements => self.judgements.begin(layout),
            TableKind::Slates => self.slates.begin(layout),
        }
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        match self.kind {
            TableKind::Decisions => self.decision(row),
            TableKind::Pairs => {
                self.pairs.row(row)?;
                let product = row.name(pairs::PRODUCT)?;
                for (creative, clicks, impressions) in pairs::SIDES {
                    let shown = row.count(impressions)?;
                    self.click(row.count(clicks)?);
                    self.show(&product, &row.name(creative)?, shown);
                }
                Ok(())
            }
            TableKind::Totals => {
                self.totals.row(row)?;
                let (product, creative) = (row.name(totals::PRODUCT)?, row.name(totals::CREATIVE)?);
                self.click(row.count(totals::CLICKS)?);
                self.show(&product, &creative, row.count(totals::IMPRESSIONS)?);
                Ok(())
            }
            TableKind::Policies => {
                self.policies.row(row)?;
                self.show(&row.name(policies::PRODUCT)?, &row.name(policies::CREATIVE)?, 0);
                Ok(())
            }
            TableKind::Judgements => {
                self.judgements.row(row)?;
                let product = row.name(judgements::PRODUCT)?;
                for entry in [judgements::LEFT, judgements::RIGHT] {
                    self.show(&product, &row.name(entry)?, 0);
                }
                Ok(())
            }
            TableKind::Slates => self.slate(row),
        }
    }
}

/// The mend of a reason, for people who look at a table of counts.
pub fn mend(reason: Reason) -> &'static str {
    match reason {
        Reason::UnevenFields => "quote fields that hold the separator; give JSON lines the same keys",
        Reason::NotUtf8 => "export the file as UTF-8",
        Reason::NotJson => "write one JSON object a line",
        Reason::Missing => "fill the values in, or leave the rows out",
        Reason::WrongType => "write names as text",
        Reason::NotANumber => "write numbers like 0.25, without units or thousands",
        Reason::NotACount => "write whole numbers of at least 0",
        Reason::OutOfRange => "see docs/logs.md for the range of the column",
        Reason::Propensity => "log the chance of what was shown, in (0, 1]",
        Reason::ClicksAboveImpressions => "count at most one click an impression",
        Reason::NeverShown => "leave out creatives without impressions",
        Reason::Duplicate => "keep one row of each",
        Reason::SameCreative => "pair two creatives of one product",
        Reason::UnknownProduct => "add the product to the policy file",
        Reason::Contradiction => "mend the label or the rates",
    }
}
