//! What all components of this library share.

use adeval_sdk::prelude::*;
use image::{Rgb, RgbImage};

/// No parameters.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Nothing {}

/// A component that is its own parameters, with an id and a sentence.
macro_rules! component {
    ($name:ident($parameters:ty), $id:literal, $summary:literal) => {
        #[allow(dead_code, reason = "not every component looks at its parameters")]
        struct $name($parameters);

        impl adeval_sdk::Component for $name {
            type Parameters = $parameters;
            fn info() -> adeval_sdk::ComponentInfo {
                adeval_sdk::ComponentInfo::new($id, $summary)
            }
            fn create(parameters: $parameters, _: &adeval_sdk::Environment) -> adeval_sdk::Result<Self> {
                Ok(Self(parameters))
            }
        }
    };
}

/// The product on one colour, which the seed shifts a little: what a well-behaved generator answers.
pub fn paint(request: &BackgroundRequest, [r, g, b]: [u8; 3]) -> Result<Creative> {
    let shift = (request.seed % 16) as u8;
    let colour = Rgb([r.saturating_add(shift), g.saturating_add(shift), b]);
    let mut canvas = RgbImage::from_pixel(request.width, request.height, colour);
    let product = CutOut::of(&request.product)?;
    let placement = product.centered(request.size(), PAPER_SHARE);
    placement.paste(&product.resample(&placement)?, &mut canvas);
    Ok(Creative { image: canvas.into(), placement })
}

/// [`paint`] in the colour of those that misbehave otherwise.
pub fn paint_grey(request: &BackgroundRequest) -> Result<Creative> {
    paint(request, [120, 120, 120])
}
