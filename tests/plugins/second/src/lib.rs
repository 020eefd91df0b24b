//! A library with a background generator of the id `well-behaved`, which `misbehaving` has, too: loaded into one
//! process, each must stay what it is. This one paints in blue.

use adeval_sdk::prelude::*;
use image::{Rgb, RgbImage};

/// No parameters.
#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

struct Blue;

impl Component for Blue {
    type Parameters = Nothing;
    fn info() -> ComponentInfo {
        ComponentInfo::new("well-behaved", "Blue behind the product")
    }
    fn create(_: Nothing, _: &Environment) -> Result<Self> {
        Ok(Self)
    }
}

impl BackgroundGenerator for Blue {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        let mut canvas = RgbImage::from_pixel(request.width, request.height, Rgb([0, 0, 255]));
        let product = CutOut::of(&request.product)?;
        let placement = product.centered(request.size(), PAPER_SHARE);
        placement.paste(&product.resample(&placement)?, &mut canvas);
        Ok(Creative { image: canvas.into(), placement })
    }
}

export_plugin! { background_generator: [Blue] }
