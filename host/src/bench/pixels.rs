//! Measurements of creatives by their pixels: what became of the product.

use super::generate::{Made, record};
use super::measure::load_rgb;
use super::plan::{consistency_key, fidelity_key};
use super::{Bench, BenchError, Ledger};
use crate::consistency;
use crate::store::{Outcome, Record};
use crate::suite::{Metric, Suite};
use adeval_sdk::{CutOut, ErrorKind, Placement, PluginError};
use image::{RgbImage, RgbaImage};
use rayon::prelude::*;
use std::collections::HashSet;

/// Creatives that are measured between two writes.
const PIXEL_BATCH: usize = 64;

/// A measure of one creative's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelMeasure {
    Fidelity,
    Consistency,
}

impl PixelMeasure {
    /// Those that a suite wants.
    pub fn wanted(suite: &Suite) -> Vec<Self> {
        let all =
            [(Metric::ProductFidelity, Self::Fidelity), (Metric::ProductConsistency, Self::Consistency)];
        all.into_iter().filter(|(metric, _)| suite.wants(*metric)).map(|(_, measure)| measure).collect()
    }

    const fn stage(self) -> &'static str {
        match self {
            Self::Fidelity => "fidelity",
            Self::Consistency => "consistency",
        }
    }
}

/// A creative, and what was not measured on it yet.
pub struct Unmeasured<'a> {
    made: Made<'a>,
    /// The measures, with the keys of their results.
    pub missing: Vec<(PixelMeasure, String)>,
}

impl Bench<'_> {
    /// Measures what became of the product on each creative; `anew` also where it is known.
    pub fn measure_pixels(&self, anew: bool) -> Result<(), BenchError> {
        let unmeasured = self.ledger().unmeasured(anew);
        for batch in unmeasured.chunks(PIXEL_BATCH) {
            self.check_cancelled()?;
            let measured: Vec<Vec<Record>> = batch.par_iter().map(|one| self.measured(one)).collect();
            self.store.append(&measured.concat())?;
        }
        Ok(())
    }

    fn measured(&self, Unmeasured { made, missing }: &Unmeasured<'_>) -> Vec<Record> {
        let product = || CutOut::of(made.product.product()?)?.resample(&made.placement);
        let loaded = load_rgb(&self.store.image_path(&made.image)).and_then(|c| Ok((c, product()?)));
        let one = |(measure, key): &(PixelMeasure, String)| {
            let item = format!("{}/{}", made.product.id, made.sample);
            let outcome = match &loaded {
                Ok((creative, product)) => self.outcome(*measure, creative, product, &made.placement),
                Err(error) => Err(error.clone()),
            };
            Record { seconds: None, ..record(key.clone(), item, 0.0, measure.stage(), outcome) }
        };
        missing.iter().map(one).collect()
    }

    fn outcome(
        &self,
        measure: PixelMeasure,
        creative: &RgbImage,
        product: &RgbaImage,
        placement: &Placement,
    ) -> Result<Outcome, PluginError> {
        let options = &self.plan.suite.consistency;
        match measure {
            PixelMeasure::Fidelity => fidelity(creative, product, placement).map(Outcome::Fidelity),
            PixelMeasure::Consistency => {
                consistency::measure(creative, product, placement, options, self.services.matting)
                    .map(|found| Outcome::Consistency(found.map(Box::new)))
            }
        }
    }
}

fn fidelity(
    creative: &RgbImage,
    product: &RgbaImage,
    placement: &Placement,
) -> Result<Option<f64>, PluginError> {
    match adeval_eval::fidelity(creative, product, placement.left, placement.top) {
        Ok(fidelity) => Ok(Some(fidelity.product_fidelity)),
        Err(adeval_eval::EvalError::EmptyMask { .. }) => Ok(None),
        Err(error) => Err(PluginError::new(ErrorKind::Numerical, error.to_string())),
    }
}

impl<'a> Ledger<'a> {
    /// The key of a creative's measure.
    pub fn pixel_key(&self, measure: PixelMeasure, made: &Made<'_>) -> String {
        match measure {
            PixelMeasure::Fidelity => fidelity_key(made.product, &made.image, &made.placement),
            PixelMeasure::Consistency => {
                consistency_key(&self.plan.suite.consistency, made.product, &made.image, &made.placement)
            }
        }
    }

    /// Creatives with the measures that they lack, or with all of them when they are to be measured `anew`.
    pub fn unmeasured(&self, anew: bool) -> Vec<Unmeasured<'a>> {
        let wanted = PixelMeasure::wanted(self.plan.suite);
        let mut seen = HashSet::new();
        let mut unmeasured = Vec::new();
        for entry in &self.plan.cast.entries {
            for made in self.creatives(entry) {
                let keyed = wanted.iter().map(|measure| (*measure, self.pixel_key(*measure, &made)));
                let lacks = |(_, key): &(PixelMeasure, String)| {
                    (anew || !self.store.has(key)) && seen.insert(key.clone())
                };
                let missing: Vec<_> = keyed.filter(lacks).collect();
                if !missing.is_empty() {
                    unmeasured.push(Unmeasured { made, missing });
                }
            }
        }
        unmeasured
    }
}
