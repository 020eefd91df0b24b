//! Product consistency of finished creatives: from pictures on disk to [`adeval_eval::consistency`].

mod creatives;

use crate::products::Matting;
use adeval_eval::EvalError;
use adeval_eval::consistency::{Consistency, Limits, Placed, consistency};
use adeval_sdk::{ErrorKind, Placement, PluginError};
pub use creatives::{Finished, finished};
use image::{RgbImage, RgbaImage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How product consistency is measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConsistencyOptions {
    /// Segment each creative with U2-Net-p and compare what it sees as the product with what was placed. It sees things
    /// that the product's colour does not give away, such as a pedestal, and takes most of the time.
    pub segment: bool,
    /// From where on a measure speaks against a creative.
    pub limits: Limits,
}

/// Measures a creative; `product` is the product's alpha box at the placement's size. `None` when no opaque pixel of the product lies on it.
///
/// # Errors
/// When the creative cannot be segmented.
pub fn measure(
    creative: &RgbImage,
    product: &RgbaImage,
    placement: &Placement,
    options: &ConsistencyOptions,
    matting: &dyn Matting,
) -> Result<Option<Consistency>, PluginError> {
    let failed = |message: String| PluginError::new(ErrorKind::Numerical, message);
    let segmented = if options.segment { Some(matting.alpha(creative).map_err(failed)?) } else { None };
    let placed =
        Placed { creative, product, left: placement.left, top: placement.top, segmented: segmented.as_ref() };
    match consistency(&placed, &options.limits) {
        Ok(found) => Ok(Some(found)),
        Err(EvalError::EmptyMask { .. }) => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}
