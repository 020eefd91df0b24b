//! Pairs for reward models: by the importer of CreativeRanking, and once more as the paper's labelled pictures.

use super::sales::RANKING;
use super::{MarketError, MarketJob, check_cancelled, write_json};
use crate::bench::{BenchError, Services};
use crate::products::decode_rgb;
use crate::records::import::{CreativeRanking, DAYS_HEADER, PairFilter, Smoothing, Target};
use crate::records::{ReadOptions, read};
use crate::store::{encode_png, write_whole};
use image::{GenericImage, RgbImage};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Judged pairs without answers.
pub const PAIRS: &str = "pairs.synthetic.csv";
/// Labelled pairs in the layout of the paper's reward model.
pub const LABELLED: &str = "pairs.synthetic.json";

/// A row of [`PAIRS`].
#[derive(Deserialize)]
struct Row {
    product: String,
    left: String,
    right: String,
    left_clicks: u64,
    left_impressions: u64,
    right_clicks: u64,
    right_impressions: u64,
}

/// An entry of [`LABELLED`].
#[derive(Serialize)]
struct Labelled {
    id: String,
    image: String,
    left_ctr: f64,
    right_ctr: f64,
    target: &'static str,
    synthetic: bool,
}

/// Writes the pairs that the paper's filter takes; how many.
pub fn write(job: &MarketJob, services: &Services<'_>) -> Result<u64, MarketError> {
    let path = job.out.join(PAIRS);
    if path.exists() {
        std::fs::remove_file(&path).map_err(BenchError::write(&path))?;
    }
    let filter =
        PairFilter { min_impressions: 1000, min_ratio: 1.05, max_ratio: 1.20, seed: job.market.seed() };
    let smoothing = Smoothing { alpha: 2.0402, beta: 54.0625 };
    let mut ranking =
        CreativeRanking::new(Target::Pairs(filter, smoothing), &path).map_err(MarketError::Table)?;
    let options = ReadOptions { header: Some(&DAYS_HEADER), ..ReadOptions::default() };
    read(&job.out.join(RANKING), &options, &mut ranking)?;
    ranking.finish().map_err(MarketError::Table)?;
    let wrong = |e: csv::Error| MarketError::Table(format!("{}: {e}", path.display()));
    let rows: Vec<Row> = csv::Reader::from_path(&path)
        .map_err(wrong)?
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    services.progress.stage("pairs", rows.len());
    let labelled = rows.par_iter().map(|row| {
        check_cancelled(job, services)?;
        let one = label(row);
        side_by_side(&job.out, row, &one.image)?;
        services.progress.advance(1);
        Ok(one)
    });
    let labelled: Vec<Labelled> = labelled.collect::<Result<_, MarketError>>()?;
    write_json(&job.out.join(LABELLED), &labelled)?;
    Ok(labelled.len() as u64)
}

fn label(row: &Row) -> Labelled {
    let left_ctr = row.left_clicks as f64 / row.left_impressions as f64;
    let right_ctr = row.right_clicks as f64 / row.right_impressions as f64;
    let id = format!("{}.{}", row.left, row.right);
    Labelled {
        image: format!("pairs/{id}.png"),
        id,
        left_ctr,
        right_ctr,
        target: if left_ctr > right_ctr { "left" } else { "right" },
        synthetic: true,
    }
}

/// The paper's picture of a pair: left beside right.
fn side_by_side(out: &Path, row: &Row, image: &str) -> Result<(), MarketError> {
    let load = |creative: &str| -> Result<RgbImage, MarketError> {
        let path = out.join("creatives").join(format!("{creative}.png"));
        let wrong = |reason: String| BenchError::Read { path: path.clone(), reason };
        let bytes = std::fs::read(&path).map_err(|e| wrong(format!("it cannot be read: {e}")))?;
        Ok(decode_rgb(&bytes, &path).map_err(wrong)?)
    };
    let (left, right) = (load(&row.left)?, load(&row.right)?);
    let mut both = RgbImage::new(left.width() + right.width(), left.height().max(right.height()));
    let fit = both.copy_from(&left, 0, 0).and_then(|()| both.copy_from(&right, left.width(), 0));
    let png = fit.and_then(|()| encode_png(both.width(), both.height(), &both));
    let png = png.map_err(|e| MarketError::Table(format!("product \"{}\": {image}: {e}", row.product)))?;
    Ok(write_whole(&out.join(image), &png)?)
}
