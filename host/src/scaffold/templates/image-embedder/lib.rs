//! `{{name}}`: an image embedder for adeval.
//!
//! Colour moments after Stricker and Orengo (1995): mean, standard deviation and the cube root of the
//! third moment of each channel, in each cell of a grid. Put your model in the place of `moments`.

use adeval_sdk::prelude::*;

/// What a suite may set. Doc comments become the descriptions of `adeval plugin inspect`; the host
/// checks the ranges and refuses names that are not here, before it creates the component.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Cells along each side, from 1 to 8. A vector has 9 values a cell, and a Frechet distance needs
    /// many more images than values.
    #[schemars(range(min = 1, max = 8))]
    pub grid: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { grid: 1 }
    }
}

/// The component. A model's weights would be fields of it.
pub struct Embedder {
    grid: u32,
}

impl Component for Embedder {
    type Parameters = Parameters;

    /// What `adeval plugin list` shows. It must load nothing: discovery calls it for every plugin.
    fn info() -> ComponentInfo {
        ComponentInfo::new(
            "{{name}}",
            "Colour moments: mean, deviation and skewness of each channel",
        )
    }

    /// Loads what the component needs: `environment.weights` and `environment.device` say which weights
    /// and where. Override `create_watched` when that takes more than a second.
    fn create(parameters: Parameters, _: &Environment) -> Result<Self> {
        Ok(Self {
            grid: parameters.grid,
        })
    }
}

impl ImageEmbedder for Embedder {
    /// Names the metrics (`FD-moments1`). It must change when the vectors do: features are kept on disk.
    fn describe(&self) -> EncoderInfo {
        EncoderInfo {
            name: format!("moments{}", self.grid),
            dimension: 9 * self.grid * self.grid,
            preprocessing: "RGB in [0, 1], no resizing, not normalised".into(),
        }
    }

    fn embed(&self, request: &EmbedRequest, cx: &CallContext<'_>) -> Result<Embedding> {
        if request.spatial {
            return Err(PluginError::unsupported("there are no spatial features"));
        }
        let pixels = request.image.to_rgb();
        let mut vector = Vec::with_capacity(9 * (self.grid * self.grid) as usize);
        for row in 0..self.grid {
            // In every loop that takes time: this is what makes Ctrl-C and timeouts polite.
            cx.check()?;
            for column in 0..self.grid {
                let (xs, ys) = (
                    self.cell(column, pixels.width()),
                    self.cell(row, pixels.height()),
                );
                for channel in 0..3 {
                    vector.extend(moments(|| {
                        let points = ys.clone().flat_map(|y| xs.clone().map(move |x| (x, y)));
                        points.map(|(x, y)| f64::from(pixels.get_pixel(x, y)[channel]) / 255.0)
                    }));
                }
            }
        }
        Ok(Embedding {
            vector,
            spatial: Vec::new(),
        })
    }

    // Override `embed_batch` where many at once are faster, e.g. on a GPU. Each vector must stay the one
    // that `embed` makes.
}

impl Embedder {
    /// The pixels of one cell along a side; at least one, also of an image smaller than the grid.
    fn cell(&self, index: u32, side: u32) -> std::ops::Range<u32> {
        let edge = |i: u32| (u64::from(i) * u64::from(side) / u64::from(self.grid)) as u32;
        let start = edge(index).min(side - 1);
        start..edge(index + 1).max(start + 1)
    }
}

/// Mean, standard deviation and cube root of the third central moment of at least one value.
fn moments<I: Iterator<Item = f64>>(values: impl Fn() -> I) -> [f32; 3] {
    let count = values().count() as f64;
    let mean = values().sum::<f64>() / count;
    let central = |power| values().map(|v| (v - mean).powi(power)).sum::<f64>() / count;
    [
        mean as f32,
        central(2).sqrt() as f32,
        central(3).cbrt() as f32,
    ]
}

export_plugin! { image_embedder: [Embedder] }

#[cfg(test)]
mod tests;
