//! Image embedders.

use crate::component::Nothing;
use adeval_sdk::Library;
use adeval_sdk::prelude::*;

pub fn add(library: &mut Library) {
    library.image_embedder::<MeanColour>();
    library.image_embedder::<NanFeatures>();
    library.image_embedder::<SumsByThread>();
}

fn describe(name: &str) -> EncoderInfo {
    EncoderInfo { name: name.into(), dimension: 3, preprocessing: "none".into() }
}

/// Mean of each channel, in [0, 1].
fn means(image: &Image) -> Vec<f32> {
    let rgb = image.to_rgb();
    let count = (rgb.width() * rgb.height()) as f32;
    let mean =
        |channel: usize| rgb.pixels().map(|pixel| f32::from(pixel.0[channel]) / 255.0).sum::<f32>() / count;
    (0..3).map(mean).collect()
}

component!(MeanColour(Nothing), "mean-colour", "The mean colour of an image");

impl ImageEmbedder for MeanColour {
    fn describe(&self) -> EncoderInfo {
        describe("mean-colour")
    }
    fn embed(&self, request: &EmbedRequest, _: &CallContext<'_>) -> Result<Embedding> {
        Ok(Embedding { vector: means(&request.image), spatial: Vec::new() })
    }
}

component!(NanFeatures(Nothing), "nan-features", "Features that are no numbers");

impl ImageEmbedder for NanFeatures {
    fn describe(&self) -> EncoderInfo {
        describe("nan-features")
    }
    fn embed(&self, _: &EmbedRequest, _: &CallContext<'_>) -> Result<Embedding> {
        Ok(Embedding { vector: vec![f32::NAN; 3], spatial: Vec::new() })
    }
}

component!(
    SumsByThread(Nothing),
    "sums-by-thread",
    "The mean colour, added up in a part for each thread of the machine"
);

impl ImageEmbedder for SumsByThread {
    fn describe(&self) -> EncoderInfo {
        describe("sums-by-thread")
    }
    fn embed(&self, request: &EmbedRequest, _: &CallContext<'_>) -> Result<Embedding> {
        let rgb = request.image.to_rgb();
        let part = rgb.as_raw().len().div_ceil(rayon::current_num_threads());
        let channel = |channel: usize| -> f32 {
            let values = |part: &[u8]| -> f32 {
                part.iter().skip(channel).step_by(3).map(|&value| f32::from(value) / 255.0).sum()
            };
            rgb.as_raw().chunks(part.next_multiple_of(3)).map(values).sum()
        };
        Ok(Embedding { vector: (0..3).map(channel).collect(), spatial: Vec::new() })
    }
}
