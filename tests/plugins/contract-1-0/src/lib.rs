//! A plugin as it was written for contract 1.0: a background generator and a reward model.
//!
//! They do little, but use what crosses the frontier: parameters, pixels in both directions, progress, cancellation,
//! batches with errors of single items.

use adeval_sdk::prelude::*;
use image::{Rgb, RgbImage};
use std::collections::BTreeMap;

/// Parameters of `old-stripes`.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stripes {
    /// Width of a stripe in pixels, from 1 to 64.
    #[schemars(range(min = 1, max = 64))]
    width: u32,
}

impl Default for Stripes {
    fn default() -> Self {
        Self { width: 8 }
    }
}

/// Stripes behind the product, in a colour of the seed.
pub struct OldStripes(Stripes);

impl Component for OldStripes {
    type Parameters = Stripes;

    fn info() -> ComponentInfo {
        ComponentInfo::new("old-stripes", "Stripes, by a plugin of contract 1.0")
    }

    fn create(parameters: Stripes, _: &Environment) -> Result<Self> {
        Ok(Self(parameters))
    }
}

impl BackgroundGenerator for OldStripes {
    fn generate(&self, request: &BackgroundRequest, cx: &CallContext<'_>) -> Result<Creative> {
        cx.check()?;
        if request.prompt.contains("impossible") {
            return Err(PluginError::invalid_request("stripes cannot show the impossible"));
        }
        cx.progress(0.5, "stripes");
        let [red, green, blue, ..] = rng::derive(request.seed, &["stripes"]).to_le_bytes();
        let stripe = |x: u32| if (x / self.0.width) % 2 == 0 { [red, green, blue] } else { [240; 3] };
        let mut canvas = RgbImage::from_fn(request.width, request.height, |x, _| Rgb(stripe(x)));
        let product = CutOut::of(&request.product)?;
        let placement = product.centered(request.size(), PAPER_SHARE);
        placement.paste(&product.resample(&placement)?, &mut canvas);
        Ok(Creative { image: canvas.into(), placement })
    }
}

/// Parameters of `old-eye`: none.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Nothing {}

/// Likes bright creatives.
pub struct OldEye;

impl Component for OldEye {
    type Parameters = Nothing;

    fn info() -> ComponentInfo {
        ComponentInfo::new("old-eye", "Likes bright creatives, by a plugin of contract 1.0")
    }

    fn create(_: Nothing, _: &Environment) -> Result<Self> {
        Ok(Self)
    }
}

impl RewardModel for OldEye {
    fn compare(&self, pair: &PairRequest, cx: &CallContext<'_>) -> Result<Preference> {
        cx.check()?;
        let (left, right) = (brightness(&pair.left), brightness(&pair.right));
        Ok(Preference { left: 0.5 + (left - right) / 2.0 })
    }

    fn score(&self, request: &ScoreRequest, cx: &CallContext<'_>) -> Result<PointScore> {
        cx.check()?;
        let brightness = brightness(&request.creative);
        Ok(PointScore { ctr: brightness / 10.0, parts: BTreeMap::from([("brightness".into(), brightness)]) })
    }
}

/// Mean of all channels, in [0, 1].
fn brightness(image: &Image) -> f64 {
    let sum: u64 = image.bytes().iter().map(|&byte| u64::from(byte)).sum();
    sum as f64 / 255.0 / image.bytes().len() as f64
}

export_plugin! { background_generator: [OldStripes], reward_model: [OldEye] }
