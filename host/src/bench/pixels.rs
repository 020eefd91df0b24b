//! Measurements of creatives by their pixels: what became of the product.

use super::generate::{Made, record};
use super::measure::load_rgb;
use super::plan::{consistency_key, fidelity_key};
use super::{Bench, BenchError, Ledger};
use crate::consistency;
use crate::store::{Outcome, Record};
use crate::suite::{Metric, Suite};
use adeval_sdk::{CutOut, ErrorKind, PluginError};
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

impl Bench<'_> {
    /// Measures what became of the product on each creative; `anew` also where it is known.
    pub fn measure_pixels(&self, measure: PixelMeasure, anew: bool) -> Result<(), BenchError> {
        let missing = self.ledger().unmeasured(measure, anew);
        for batch in missing.chunks(PIXEL_BATCH) {
            self.check_cancelled()?;
            let measured = batch.par_iter().map(|(key, made)| {
                let item = format!("{}/{}", made.product.id, made.sample);
                let outcome = self.measure_pixels_of(measure, made);
                Record { seconds: None, ..record(key.clone(), item, 0.0, measure.stage(), outcome) }
            });
            self.store.append(&measured.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn measure_pixels_of(&self, measure: PixelMeasure, made: &Made<'_>) -> Result<Outcome, PluginError> {
        let creative = load_rgb(&self.store.image_path(&made.image))?;
        match measure {
            PixelMeasure::Fidelity => fidelity(&creative, made).map(Outcome::Fidelity),
            PixelMeasure::Consistency => {
                let (product, options) = (made.product.product()?, &self.plan.suite.consistency);
                let matting = self.services.matting;
                let found = consistency::measure(&creative, product, &made.placement, options, matting)?;
                Ok(Outcome::Consistency(found.map(Box::new)))
            }
        }
    }
}

fn fidelity(creative: &image::RgbImage, made: &Made<'_>) -> Result<Option<f64>, PluginError> {
    let product = CutOut::of(made.product.product()?)?.resample(&made.placement)?;
        match adeval_eval::fidelity(creative, &product, made.placement.left, made.placement.top) {
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

    /// Creatives that were not measured, or all when they are to be measured `anew`, with the keys of the results.
    pub fn unmeasured(&self, measure: PixelMeasure, anew: bool) -> Vec<(String, Made<'a>)> {
        let mut seen = HashSet::new();
        let mut missing = Vec::new();
        for entry in &self.plan.cast.entries {
            for made in self.creatives(entry) {
                let key = self.pixel_key(measure, &made);
                if (anew || !self.store.has(&key)) && seen.insert(key.clone()) {
                    missing.push((key, made));
                }
            }
        }
        missing
    }
}
