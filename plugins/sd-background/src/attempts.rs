//! Drawing again, with another seed, what outgrew its outline.
//!
//! The finished creative is segmented again and held against where the product was placed; of several attempts the one with
//! the least [`Outline::penalty`] is kept. What a segmenter takes for the product is uncertain, so attempts are compared with
//! each other, and a limit only saves time.

use adeval_cutout::CutOut;
use adeval_sdk::outline::{OutlineError, OutlineOptions, outline};
use adeval_sdk::rng::derive;
use adeval_sdk::{Creative, ErrorKind, PluginError, Result};
use image::GrayImage;

use crate::parameters::Parameters;

/// How often a creative is drawn, and who judges.
pub struct Attempts {
    /// At most so many.
    most: u32,
    /// A penalty up to this is good enough.
    limit: f64,
    /// Only where there is something to choose from.
    segmenter: Option<CutOut>,
}

/// A creative and how far its product is from its outline.
pub struct Attempt {
    pub creative: Creative,
    pub penalty: f64,
}

impl Attempts {
    pub fn new(parameters: &Parameters) -> Result<Self> {
        let segmenter = match parameters.attempts {
            ..=1 => None,
            _ => Some(CutOut::load().map_err(|e| PluginError::new(ErrorKind::Other, e.to_string()))?),
        };
        Ok(Self { most: parameters.attempts, limit: parameters.penalty_limit, segmenter })
    }

    pub fn most(&self) -> u32 {
        self.most
    }

    /// Whether a creative needs another attempt, if one is left.
    pub fn wants_another(&self, best: Option<&Attempt>) -> bool {
        best.is_none_or(|best| best.penalty > self.limit)
    }

    /// Measures a finished creative against the product's alpha on the same canvas. Without a choice there is no measuring:
    /// the penalty is then 0.
    pub fn judge(&self, creative: Creative, placed: &GrayImage) -> Result<Attempt> {
        let Some(segmenter) = &self.segmenter else { return Ok(Attempt { creative, penalty: 0.0 }) };
        let failed = |what: String| PluginError::new(ErrorKind::Other, what);
        let found = segmenter.alpha(&creative.image.to_rgb()).map_err(|e| failed(e.to_string()))?;
        let penalty = match outline(&found, placed, OutlineOptions::default()) {
            Ok(measure) => measure.penalty(),
            // Too translucent to have an outline.
            Err(OutlineError::NoProduct { .. }) => 0.0,
            Err(error) => return Err(failed(error.to_string())),
        };
        Ok(Attempt { creative, penalty })
    }
}

/// The seed of an attempt, counted from 0: the first is the request's own, so that one attempt gives what it always gave.
pub fn seed(request: u64, attempt: u32) -> u64 {
    match attempt {
        0 => request,
        _ => derive(request, &["sd-background", "attempt", &attempt.to_string()]),
    }
}
