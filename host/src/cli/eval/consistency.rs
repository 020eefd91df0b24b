//! `adeval eval consistency`: is it still the same product, and can the creatives be used?

mod ask;
mod page;
mod summary;

use super::super::exit::{Finish, Stop};
use super::super::progress::Report;
use super::super::{Session, interrupt, output};
use super::source;
use super::source::IntervalArgs;
use crate::bench::{Progress, load_rgb};
use crate::consistency::{ConsistencyOptions, Finished, finished, measure};
use crate::products::{CutOutNetwork, Listing, Products};
use adeval_eval::consistency::{Consistency, Limits, Reason};
use adeval_eval::{Estimate, brisque};
use adeval_sdk::{CutOut, EncoderInfo, Placement, Product};
use ask::{AskArgs, Scenes};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const EXAMPLES: &str = "\
CREATIVES is a folder with a JSON sidecar for each picture, as `adeval render` writes it: {\"product\": ID, \"image\": FILE,
\"placement\": {\"left\": 56, \"top\": 80, \"width\": 400, \"height\": 380}}, and optionally \"entry\". docs/metrics.md says what each
part means, how well it sees planted defects, and when it misleads.

Examples:
  adeval eval consistency creatives/ --products products.json
  adeval eval consistency creatives/ --products photos/ --segment          # also what a segmenter sees (slower)
  adeval eval consistency creatives/ --products photos/ --least-contact 0.05   # a product must stand on something
  adeval eval consistency creatives/ --products photos/ --embedder lpips -p shift_tolerant=true -p weights=alex_shift_tolerant.pth
  adeval eval consistency creatives/ --products photos/ --match-judge my-judge   # the share that match
  adeval eval consistency creatives/ --products photos/ --json | jq '.creatives[] | select(.available | not)'";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ConsistencyArgs {
    /// Folder of pictures with their sidecars.
    creatives: PathBuf,
    /// The products that they show: a `products.json`, an image, or a folder of images.
    #[arg(long, value_name = "SOURCE")]
    products: PathBuf,
    /// Segment each creative with U2-Net-p and compare what it sees as the product with what was placed.
    #[arg(long)]
    segment: bool,
    /// Refuse creatives without a contact shadow: the least by which the ground under the foot is darker, e.g. 0.05.
    #[arg(long, value_name = "SHARE")]
    least_contact: Option<f64>,
    /// Refuse creatives whose product's box covers less of the canvas.
    #[arg(long, value_name = "SHARE", default_value_t = Limits::default().least_canvas_share)]
    least_canvas_share: f64,
    /// Refuse creatives whose product's box covers more of the canvas.
    #[arg(long, value_name = "SHARE", default_value_t = Limits::default().most_canvas_share)]
    most_canvas_share: f64,
    #[command(flatten)]
    intervals: IntervalArgs,
    #[command(flatten)]
    ask: AskArgs,
}

/// What `adeval eval consistency --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ConsistencyResult {
    /// Confidence level of intervals, which are over products.
    pub level: f64,
    /// How it was measured.
    pub options: ConsistencyOptions,
    /// The encoder that looked at them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderInfo>,
    /// One summary an entry.
    pub entries: Vec<EntryConsistency>,
    /// Each creative.
    pub creatives: Vec<CreativeConsistency>,
    /// What could not be measured, and why.
    pub left_out: Vec<String>,
}

/// The creatives of one entry.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EntryConsistency {
    /// The entry.
    pub entry: String,
    /// Its creatives.
    pub creatives: usize,
    /// Mean score.
    pub score: Estimate,
    /// Share of creatives that can be used.
    pub available: Estimate,
    /// Mean of each part of the score over the creatives that have it.
    pub parts: BTreeMap<String, f64>,
    /// Creatives by reason against them; one may have several.
    pub reasons: BTreeMap<Reason, usize>,
    /// Mean BRISQUE of the whole pictures, lower is more natural.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brisque: Option<Estimate>,
    /// Mean perceptual distance on the product, by an encoder with maps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perceptual: Option<Estimate>,
    /// Mean similarity of product and scene, by an encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene_similarity: Option<Estimate>,
    /// Share of creatives in which product and scene match, by a judge: its score is at least 0.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_rate: Option<Estimate>,
}

/// One creative.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CreativeConsistency {
    /// Its entry.
    pub entry: String,
    /// Id of its product.
    pub product: String,
    /// The picture.
    pub image: PathBuf,
    /// What was found.
    #[serde(flatten)]
    pub found: Consistency,
    /// BRISQUE of the whole picture: about 0 for an undistorted photograph to 100; none for one of a side below 32 pixels, or of one colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brisque: Option<f64>,
    /// Distance of the product as it is from the product as it should be, by an encoder with maps; at least 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perceptual: Option<f64>,
    /// Cosine of the encoder's features of the product alone and the scene alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene_similarity: Option<f64>,
    /// The judge's score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_probability: Option<f64>,
}

pub fn run(args: &ConsistencyArgs, session: Session) -> Result<Finish, Stop> {
    let bootstrap = args.intervals.bootstrap()?;
    let options = args.options()?;
    let cancel = interrupt::listen()?;
    let (wanted, mut left_out) = finished(&args.creatives).map_err(Stop::new)?;
    if wanted.is_empty() {
        let first = left_out.first().map_or(String::new(), |reason| format!("; {reason}"));
        return Err(Stop::new(format!(
            "{} holds no creative with a sidecar{first}",
            args.creatives.display()
        ))
        .help("`adeval render` writes both; `adeval eval consistency --help` shows what a sidecar says"));
    }
    let matting = CutOutNetwork::default();
    let Products { good, bad, warnings } = shown(&wanted, &args.products, &matting)?;
    warnings.iter().for_each(|warning| output::warn(warning));
    left_out.extend(bad.into_iter().map(|bad| bad.message));
    let by_id: BTreeMap<&str, &Product> = good.iter().map(|p| (p.id.as_str(), p)).collect();
    let report = Report::new(session.quiet);
    report.stage("consistency", wanted.len());
    let measured: Vec<Result<CreativeConsistency, String>> =
        wanted.par_iter().map(|one| measure_one(one, &by_id, &options, &matting, &report, cancel)).collect();
    let (mut creatives, mut placements) = (Vec::new(), Vec::<Placement>::new());
    for (one, wanted) in measured.into_iter().zip(&wanted) {
        match one {
            Ok(one) => {
                creatives.push(one);
                placements.push(wanted.placement);
            }
            Err(reason) => left_out.push(reason),
        }
    }
    let scenes = Scenes { products: &by_id, placements: &placements };
    let encoder = args.ask.ask(&mut creatives, &scenes, &report, cancel)?;
    report.finish();
    if cancel.load(Ordering::Relaxed) {
        return Err(Stop::interrupted("stopped; nothing was written"));
    }
    left_out.iter().for_each(|reason| output::warn(&format!("{reason}; it is left out")));
    if creatives.is_empty() {
        return Err(Stop::new("no creative could be measured; the reasons are above"));
    }
    let result = ConsistencyResult {
        level: bootstrap.level,
        entries: summary::entries(&creatives, &bootstrap)?,
        encoder,
        options,
        creatives,
        left_out,
    };
    source::show(&result, page::page, session)?;
    Ok(Finish::with_failures(!result.left_out.is_empty()))
}

/// The products that the creatives show; the others are not read.
fn shown(wanted: &[Finished], source: &Path, matting: &CutOutNetwork) -> Result<Products, Stop> {
    let listing = Listing::of(source, None)?;
    let ids = listing.ids();
    let shown: BTreeSet<&str> = wanted.iter().map(|one| one.product.as_str()).collect();
    Ok(listing.at(|at| shown.contains(ids[at].as_str())).read(matting))
}

impl ConsistencyArgs {
    fn options(&self) -> Result<ConsistencyOptions, Stop> {
        let shares = [
            ("--least-contact", self.least_contact.unwrap_or(0.0), -1.0),
            ("--least-canvas-share", self.least_canvas_share, 0.0),
            ("--most-canvas-share", self.most_canvas_share, 0.0),
        ];
        for (name, value, least) in shares {
            if !(least..=1.0).contains(&value) {
                return Err(Stop::new(format!("{name} is {value}; it must lie between {least} and 1")));
            }
        }
        let limits = Limits {
            least_contact: self.least_contact,
            least_canvas_share: self.least_canvas_share,
            most_canvas_share: self.most_canvas_share,
            ..Limits::default()
        };
        Ok(ConsistencyOptions { segment: self.segment, limits })
    }
}

fn measure_one(
    one: &Finished,
    products: &BTreeMap<&str, &Product>,
    options: &ConsistencyOptions,
    matting: &CutOutNetwork,
    report: &Report,
    cancel: &AtomicBool,
) -> Result<CreativeConsistency, String> {
    let image = one.image.display();
    if cancel.load(Ordering::Relaxed) {
        return Err(format!("{image}: not measured"));
    }
    let product = products
        .get(one.product.as_str())
        .ok_or_else(|| format!("{image}: --products has no \"{}\"", one.product))?;
    let creative = load_rgb(&one.image).map_err(|error| error.to_string())?;
    let found = CutOut::of(product)
        .and_then(|cut_out| cut_out.resample(&one.placement))
        .and_then(|product| measure(&creative, &product, &one.placement, options, matting));
    report.advance(1);
    let found = found
        .map_err(|error| format!("{image}: {error}"))?
        .ok_or_else(|| format!("{image}: no opaque pixel of the product lies on the canvas"))?;
    let (entry, product) = (one.entry.clone(), one.product.clone());
    Ok(CreativeConsistency {
        entry,
        product,
        image: one.image.clone(),
        found,
        brisque: brisque(&creative).ok(),
        perceptual: None,
        scene_similarity: None,
        match_probability: None,
    })
}
