//! `{{name}}`: a background generator for adeval.
//!
//! It draws a studio sweep, a wall that runs out into the floor, in a colour that the prompt names or
//! the seed picks, with a spotlight and the product's shadow. Put your model in the place of `sweep`.

use adeval_sdk::prelude::*;
use image::{Rgb, RgbImage};

/// What a suite may set. Doc comments become the descriptions of `adeval plugin inspect`; the host
/// checks the ranges and refuses names that are not here, before it creates the component.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Strength of the spotlight, from 0 (an even wall) to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub light: f64,
    /// Share of the canvas that the product's longer side takes, from 0.1 to 1.
    #[schemars(range(min = 0.1, max = 1.0))]
    pub share: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            light: 0.5,
            share: 0.6,
        }
    }
}

/// The component. A model's weights would be fields of it.
pub struct Background {
    parameters: Parameters,
}

impl Component for Background {
    type Parameters = Parameters;

    /// What `adeval plugin list` shows. It must load nothing: discovery calls it for every plugin.
    fn info() -> ComponentInfo {
        ComponentInfo::new(
            "{{name}}",
            "A studio sweep in a colour that the prompt names or the seed picks",
        )
    }

    /// Loads what the component needs: `environment.weights` and `environment.device` say which weights
    /// and where. Override `create_watched` when that takes more than a second.
    fn create(parameters: Parameters, _: &Environment) -> Result<Self> {
        Ok(Self { parameters })
    }
}

impl BackgroundGenerator for Background {
    fn generate(&self, request: &BackgroundRequest, cx: &CallContext<'_>) -> Result<Creative> {
        // An image without a visible pixel is answered here with an error that names the product.
        let product = CutOut::of(&request.product)?;
        let placement = product.fit(request.size(), self.parameters.share as f32, 0.5, 0.88);
        let mut canvas = self.sweep(request, &placement, cx)?;
        // Last, so that nothing covers it: product fidelity compares these very pixels.
        placement.paste(&product.resample(&placement)?, &mut canvas);
        Ok(Creative {
            image: canvas.into(),
            placement,
        })
    }

    // Override `generate_batch` where many at once are faster, e.g. on a GPU. Each creative must stay
    // the one that `generate` makes.
}

impl Background {
    fn sweep(
        &self,
        request: &BackgroundRequest,
        placement: &Placement,
        cx: &CallContext<'_>,
    ) -> Result<RgbImage> {
        let tint = tint(&request.prompt, request.seed);
        let spot = 0.25 + 0.5 * unit(request.seed, "spot");
        let (width, height) = (f64::from(request.width), f64::from(request.height));
        let half = f64::from(placement.width) / 2.0;
        let middle = f64::from(placement.left) + half;
        let ground = f64::from(placement.top) + f64::from(placement.height);
        let mut canvas = RgbImage::new(request.width, request.height);
        for (_, row) in canvas.enumerate_rows_mut() {
            // In every loop that takes time: this is what makes Ctrl-C and timeouts polite.
            cx.check()?;
            for (x, y, pixel) in row {
                let (x, y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
                let (dx, dy) = (x / width - spot, y / height - 0.35);
                let lit = self.parameters.light * (-(dx * dx + dy * dy) * 5.0).exp();
                let across = (x - middle) / half;
                let down = (y - ground) / (0.18 * half);
                let shade = 0.5 * (-(across * across + down * down)).exp();
                let value = (0.7 + 0.3 * lit) * (1.0 - shade);
                *pixel = Rgb(tint.map(|channel| (channel * value).round() as u8));
            }
        }
        Ok(canvas)
    }
}

const COLOURS: [(&str, [f64; 3]); 8] = [
    ("red", [214.0, 92.0, 84.0]),
    ("orange", [232.0, 158.0, 96.0]),
    ("yellow", [238.0, 208.0, 118.0]),
    ("green", [138.0, 180.0, 138.0]),
    ("blue", [122.0, 160.0, 206.0]),
    ("purple", [164.0, 138.0, 196.0]),
    ("grey", [186.0, 186.0, 188.0]),
    ("white", [240.0, 238.0, 234.0]),
];

/// The first colour that the prompt names, or one that the seed picks.
fn tint(prompt: &str, seed: u64) -> [f64; 3] {
    let prompt = prompt.to_lowercase();
    let mut words = prompt.split(|c: char| !c.is_alphanumeric());
    let named = words.find_map(|word| COLOURS.iter().find(|(name, _)| *name == word));
    let drawn = (unit(seed, "colour") * COLOURS.len() as f64) as usize;
    named.unwrap_or(&COLOURS[drawn.min(COLOURS.len() - 1)]).1
}

/// A number in [0, 1) from the request's seed: the only source of chance, so that results repeat.
fn unit(seed: u64, name: &str) -> f64 {
    (rng::derive(seed, &[name]) >> 11) as f64 / (1_u64 << 53) as f64
}

export_plugin! { background_generator: [Background] }

#[cfg(test)]
mod tests;
