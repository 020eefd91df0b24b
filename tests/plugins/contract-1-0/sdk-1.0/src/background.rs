//! Background generators: a product and a prompt in, a creative out.

use crate::{CallContext, Component, Image, Placement, PluginError, Product, Result};
use serde::{Deserialize, Serialize};

/// Asks for one creative. Fields that a generator has no use for (steps of a procedural one) are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackgroundRequest {
    /// The product, with its cut-out.
    pub product: Product,
    /// What the background should show.
    pub prompt: String,
    /// What it should not show.
    #[serde(default)]
    pub negative_prompt: String,
    /// Width of the creative in pixels.
    pub width: u32,
    /// Height of the creative in pixels.
    pub height: u32,
    /// Denoising steps; the generator's default when absent (30 in the paper).
    #[serde(default)]
    pub steps: Option<u32>,
    /// Classifier-free guidance scale (7.5 in the paper).
    #[serde(default)]
    pub guidance: Option<f64>,
    /// ControlNet conditioning scale (1.0 in the paper).
    #[serde(default)]
    pub control_strength: Option<f64>,
    /// All randomness of the creative comes from this.
    pub seed: u64,
}

impl BackgroundRequest {
    /// A 512x512 creative with the generator's own settings.
    pub fn new(product: Product, prompt: impl Into<String>, seed: u64) -> Self {
        Self {
            product,
            prompt: prompt.into(),
            negative_prompt: String::new(),
            width: 512,
            height: 512,
            steps: None,
            guidance: None,
            control_strength: None,
            seed,
        }
    }

    /// The size as a pair.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Checks the request's own numbers: 1 to 8192 pixels a side, at least 1 step, finite scales of at least 0.
    ///
    /// # Errors
    /// `InvalidRequest`, naming the field.
    pub fn validate(&self) -> Result<()> {
        let fits = |side: u32| (1..=8192).contains(&side);
        if !(fits(self.width) && fits(self.height)) {
            return Err(PluginError::invalid_request(format!(
                "a creative of {}x{} pixels: each side must be between 1 and 8192",
                self.width, self.height
            )));
        }
        if self.steps == Some(0) {
            return Err(PluginError::invalid_request("a creative in 0 steps: there must be at least 1"));
        }
        for (field, value) in [("guidance", self.guidance), ("control_strength", self.control_strength)] {
            if let Some(value) = value.filter(|v| !(*v >= 0.0 && v.is_finite())) {
                return Err(PluginError::invalid_request(format!(
                    "a creative with {field} {value}: it must be finite and at least 0"
                )));
            }
        }
        Ok(())
    }
}

/// An advertising image, and where the product is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Creative {
    /// RGB, of the size that was asked for.
    pub image: Image,
    /// Where the product's alpha box sits.
    pub placement: Placement,
}

/// Makes creatives.
pub trait BackgroundGenerator: Component {
    /// One creative of `request.width` x `request.height` RGB pixels.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    fn generate(&self, request: &BackgroundRequest, cx: &CallContext<'_>) -> Result<Creative>;

    /// Many creatives, in the order of the requests. Override it where a batch is faster; the results must be
    /// those of [`BackgroundGenerator::generate`].
    fn generate_batch(&self, requests: &[BackgroundRequest], cx: &CallContext<'_>) -> Vec<Result<Creative>> {
        requests.iter().map(|request| cx.check().and_then(|()| self.generate(request, cx))).collect()
    }
}
