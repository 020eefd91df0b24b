//! What an encoder and a judge say of the creatives: a perceptual distance on the product, how alike product and scene
//! are, whether they match.

use super::super::super::exit::Stop;
use super::super::super::open::PluginArgs;
use super::super::super::output;
use super::super::set::setting;
use super::CreativeConsistency;
use crate::bench::{Progress, Seen, Services, load_rgb, look, score};
use crate::products::CutOutNetwork;
use crate::suite::Component;
use adeval_eval::consistency::{
    as_it_is_and_should_be, cosine, perceptual_distance, product_alone, scene_alone,
};
use adeval_sdk::{
    CutOut, EmbedRequest, EncoderInfo, ErrorKind, Placement, PluginError, Product, ScoreRequest,
};
use image::RgbImage;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Plugins that look at the creatives, too.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Encoder and judge")]
pub struct AskArgs {
    /// An image embedder: how alike it finds the product alone and the scene alone, or, where it gives maps (`lpips` does),
    /// the perceptual distance of the product as it is from the product as it should be.
    #[arg(long, value_name = "PLUGIN")]
    embedder: Option<String>,
    /// A parameter of the embedder, e.g. `shift_tolerant=true`; may be repeated.
    #[arg(long = "set", short = 'p', value_name = "KEY=VALUE", value_parser = setting, requires = "embedder")]
    settings: Vec<(String, Value)>,
    /// Weights of the embedder in place of its own: a file or a folder.
    #[arg(long, value_name = "PATH", requires = "embedder")]
    weights: Option<PathBuf>,
    /// A reward model that was made to say whether product and scene match: its score is read as that probability. The
    /// score of a click model is another number.
    #[arg(long, value_name = "PLUGIN")]
    match_judge: Option<String>,
    /// Where they run: `cpu`, `cuda:N` or `metal`.
    #[arg(long, default_value = "cpu")]
    device: String,
    #[command(flatten)]
    plugins: PluginArgs,
}

/// What is shown: the numbers of creatives, and where their products lie.
pub struct Scenes<'a> {
    pub products: &'a BTreeMap<&'a str, &'a Product>,
    pub placements: &'a [Placement],
}

impl AskArgs {
    /// Asks whoever was named, and writes the answers to the creatives. Gives the encoder.
    pub fn ask(
        &self,
        creatives: &mut [CreativeConsistency],
        scenes: &Scenes<'_>,
        progress: &dyn Progress,
        cancel: &'static AtomicBool,
    ) -> Result<Option<EncoderInfo>, Stop> {
        if self.embedder.is_none() && self.match_judge.is_none() {
            return Ok(None);
        }
        let installed = self.plugins.open(cancel)?;
        let matting = CutOutNetwork::default();
        let services = Services { plugins: &installed, matting: &matting, progress, cancel };
        let encoder = self.embedder.as_ref().map(|name| self.embed(name, creatives, scenes, &services));
        let encoder = encoder.transpose()?;
        if let Some(name) = &self.match_judge {
            self.judge(name, creatives, scenes, &services)?;
        }
        Ok(encoder)
    }

    fn component(&self, plugin: &str) -> Component {
        Component {
            plugin: plugin.to_owned(),
            parameters: serde_json::Map::new(),
            device: self.device.clone(),
            weights: None,
        }
    }

    fn embed(
        &self,
        name: &str,
        creatives: &mut [CreativeConsistency],
        scenes: &Scenes<'_>,
        services: &Services<'_>,
    ) -> Result<EncoderInfo, Stop> {
        let embedder = Component {
            parameters: self.settings.iter().cloned().collect(),
            weights: self.weights.as_ref().map(|p| std::path::absolute(p).unwrap_or(p.clone())),
            ..self.component(name)
        };
        let items: Vec<(usize, PathBuf, String)> = numbered(creatives);
        let pictures = |(at, path, product): &(usize, PathBuf, String)| {
            let creative = load_rgb(path)?;
            let placement = &scenes.placements[*at];
            let cut_out = CutOut::of(scenes.products[product.as_str()])?.resample(placement)?;
            let (left, top) = (placement.left, placement.top);
            let alone =
                [product_alone(&creative, &cut_out, left, top), scene_alone(&creative, &cut_out, left, top)];
            // The box is on the canvas: the product was measured there.
            let pair = as_it_is_and_should_be(&creative, &cut_out, left, top).into_iter().flatten();
            let request = |image: RgbImage, spatial| EmbedRequest { image: image.into(), spatial };
            let alone = alone.into_iter().map(|image| request(image, false));
            Ok(alone.chain(pair.map(|image| request(image, true))).collect())
        };
        let encoder = look(&embedder, items, pictures, services, |(at, path, _), seen| {
            match seen.and_then(compared) {
                Ok((similarity, distance)) => {
                    (creatives[at].scene_similarity, creatives[at].perceptual) = (similarity, distance);
                }
                Err(error) => {
                    output::warn(&format!("{}: {error}; the encoder's part is absent", path.display()))
                }
            }
        })?;
        Ok(encoder)
    }

    fn judge(
        &self,
        name: &str,
        creatives: &mut [CreativeConsistency],
        scenes: &Scenes<'_>,
        services: &Services<'_>,
    ) -> Result<(), Stop> {
        let items = numbered(creatives);
        let request = |(_, path, product): &(usize, PathBuf, String)| {
            let product = scenes.products[product.as_str()].clone();
            Ok(ScoreRequest { product, creative: load_rgb(path)?.into() })
        };
        score(&self.component(name), items, request, services, |(at, path, _), answer| match answer {
            Ok(answer) => creatives[at].match_probability = Some(answer.ctr),
            Err(error) => output::warn(&format!("{}: {error}; the judge's part is absent", path.display())),
        })?;
        Ok(())
    }
}

fn numbered(creatives: &[CreativeConsistency]) -> Vec<(usize, PathBuf, String)> {
    let one = |(at, one): (usize, &CreativeConsistency)| (at, one.image.clone(), one.product.clone());
    creatives.iter().enumerate().map(one).collect()
}

/// The perceptual distance on the product by an encoder with maps, or else the similarity of product and scene: maps say
/// where things look alike, not what they are.
fn compared(seen: Seen) -> Result<(Option<f64>, Option<f64>), PluginError> {
    let failed = |error: adeval_eval::EvalError| PluginError::new(ErrorKind::Numerical, error.to_string());
    let mut seen = seen.into_iter();
    let mut next = || {
        let missing = || PluginError::violation("the embedder did not answer for every picture");
        seen.next().unwrap_or_else(|| Err(missing()))
    };
    let (product, scene, is, should_be) = (next()?, next()?, next(), next());
    match (is, should_be) {
        (Ok(is), Ok(should_be)) if !is.spatial.is_empty() => {
            perceptual_distance(&is.spatial, &should_be.spatial).map(|d| (None, Some(d))).map_err(failed)
        }
        (Err(error), _) | (_, Err(error)) if error.kind != ErrorKind::Unsupported => Err(error),
        _ => cosine(&product.vector, &scene.vector).map(|similarity| (similarity, None)).map_err(failed),
    }
}
