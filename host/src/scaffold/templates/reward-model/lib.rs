//! `{{name}}`: a reward model for adeval.
//!
//! It likes colour and contrast: colourfulness after Hasler and Suesstrunk (2003) and the spread of
//! luminance, in a weighted sum. Put your model in the place of `parts`.

use adeval_sdk::prelude::*;
use std::collections::BTreeMap;

/// What a suite may set. Doc comments become the descriptions of `adeval plugin inspect`; the host
/// checks the ranges and refuses names that are not here, before it creates the component.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Weight of colourfulness against contrast, from 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub colour: f64,
    /// Click-through rate of an average creative, above 0 and up to 0.5.
    #[schemars(range(min = 0.0001, max = 0.5))]
    pub base_rate: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            colour: 0.5,
            base_rate: 0.02,
        }
    }
}

/// The component. A model's weights would be fields of it.
pub struct Judge {
    parameters: Parameters,
}

impl Component for Judge {
    type Parameters = Parameters;

    /// What `adeval plugin list` shows. It must load nothing: discovery calls it for every plugin.
    fn info() -> ComponentInfo {
        ComponentInfo::new(
            "{{name}}",
            "Likes colour and contrast, by a formula that knows nothing of clicks",
        )
    }

    /// Loads what the component needs: `environment.weights` and `environment.device` say which weights
    /// and where. Override `create_watched` when that takes more than a second.
    fn create(parameters: Parameters, _: &Environment) -> Result<Self> {
        Ok(Self { parameters })
    }
}

impl RewardModel for Judge {
    /// The host asks for both orders of a pair and reports how consistent they are. Here they are
    /// consistent by construction; a model that reads both images at once may not be.
    fn compare(&self, pair: &PairRequest, cx: &CallContext<'_>) -> Result<Preference> {
        let left = self.merit(&parts(&pair.left, cx)?);
        let right = self.merit(&parts(&pair.right, cx)?);
        Ok(Preference {
            left: sigmoid(left - right),
        })
    }

    fn score(&self, request: &ScoreRequest, cx: &CallContext<'_>) -> Result<PointScore> {
        let parts = parts(&request.creative, cx)?;
        // An average creative gets the base rate; the best gets 1.8 times as much.
        let ctr = 2.0 * self.parameters.base_rate * sigmoid(self.merit(&parts));
        let parts = BTreeMap::from([("colour".into(), parts[0]), ("contrast".into(), parts[1])]);
        Ok(PointScore { ctr, parts })
    }

    // Override `compare_batch` and `score_batch` where many at once are faster, e.g. on a GPU. Creatives
    // that occur in several pairs share their bytes, so their features need to be computed only once.
}

impl Judge {
    /// How good a creative is; 0 is average, and a difference of 1 is preferred in 73% of the cases.
    fn merit(&self, [colour, contrast]: &[f64; 2]) -> f64 {
        let weight = self.parameters.colour;
        4.0 * (weight * colour + (1.0 - weight) * contrast) - 2.0
    }
}

/// Colourfulness and contrast, each about 0 to 1.
fn parts(creative: &Image, cx: &CallContext<'_>) -> Result<[f64; 2]> {
    let (mut red_green, mut yellow_blue) = (Moments::default(), Moments::default());
    let mut luminance = Moments::default();
    for row in creative.to_rgb().rows() {
        // In every loop that takes time: this is what makes Ctrl-C and timeouts polite.
        cx.check()?;
        for pixel in row {
            let [r, g, b] = pixel.0.map(|channel| f64::from(channel) / 255.0);
            red_green.add(r - g);
            yellow_blue.add((r + g) / 2.0 - b);
            luminance.add(0.2126 * r + 0.7152 * g + 0.0722 * b);
        }
    }
    let spread = red_green.deviation().hypot(yellow_blue.deviation());
    let shift = red_green.mean().hypot(yellow_blue.mean());
    // 0.4 is "quite colourful" in the paper's user study, and black beside white deviates by 0.5.
    Ok([
        ((spread + 0.3 * shift) / 0.4).min(1.0),
        luminance.deviation() / 0.5,
    ])
}

#[derive(Default)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    fn deviation(&self) -> f64 {
        // Rounding may take the variance of a flat image below 0.
        (self.squares / self.count - self.mean().powi(2))
            .max(0.0)
            .sqrt()
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

export_plugin! { reward_model: [Judge] }

#[cfg(test)]
mod tests;
