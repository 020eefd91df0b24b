//! Planted defects against the parts of product consistency, with a segmenter that makes no error.
//!
//! ```text
//! cargo run --release -p adeval-eval --example planted_defects -- fixtures/products/images fixtures/reference/images
//! ```
//!
//! Every seventh picture of the first folder is laid on pictures of the second one, 512 x 512, first without a defect, then with each
//! defect by growing amounts. Printed: the mean of each part over the products (in percent), the mean score, and how many creatives are
//! refused, by reason. All scenes are synthetic renderings, and so are the defects.
#![allow(clippy::print_stdout, reason = "a program for people")]

use adeval_eval::consistency::planted::{Defect, Stage};
use adeval_eval::consistency::{Consistency, Limits, consistency};
use image::imageops::{FilterType, crop_imm, resize};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

const SIDE: u32 = 512;
const LONGER: u32 = 300;
const EVERY: usize = 7;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let mut folders = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(products), Some(scenes)) = (folders.next(), folders.next()) else {
        return Err("name a folder of cut-outs and a folder of scenes".into());
    };
    let products: Vec<PathBuf> = pictures(&products)?.into_iter().step_by(EVERY).collect();
    let scenes = pictures(&scenes)?;
    let stages: Vec<Stage> = products
        .iter()
        .enumerate()
        .map(|(at, product)| stage(product, &scenes[at * scenes.len() / products.len()]))
        .collect::<Result<_>>()?;
    println!("{} products", stages.len());
    println!(
        "defect     amount  struct colour  marks  posit visible outline segment  seam  distinct score contact  refused"
    );
    for defect in Defect::ALL {
        for amount in amounts(defect) {
            let found: Vec<Consistency> = stages
                .par_iter()
                .map(|stage| {
                    let planted = stage.plant(defect, amount);
                    Ok(consistency(&planted.placed(stage), &Limits::default())?)
                })
                .collect::<Result<_>>()?;
            row(defect, amount, &found);
        }
    }
    Ok(())
}

fn amounts(defect: Defect) -> Vec<u32> {
    match defect {
        Defect::Growth => vec![0, 2, 4, 8, 12, 16],
        Defect::Recolour => vec![0, 15, 30, 60, 120],
        Defect::Shift => vec![0, 2, 4, 8, 16],
        Defect::Blur => vec![0, 1, 2, 4],
        Defect::Crop => vec![0, 5, 10, 20, 40],
        Defect::Pedestal => vec![0, 8, 16, 32, 64],
        Defect::Float => vec![0, 4, 8, 16, 32],
        Defect::Halo => vec![0, 20, 40, 60, 80, 100],
        Defect::Camouflage => vec![0, 50, 80, 95, 100],
    }
}

fn row(defect: Defect, amount: u32, found: &[Consistency]) {
    let mean = |values: Vec<f64>| 100.0 * values.iter().sum::<f64>() / values.len().max(1) as f64;
    let mut parts: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for one in found {
        for (name, part) in one.parts.named() {
            parts.entry(name).or_default().push(part);
        }
    }
    let mut line = format!("{:10} {amount:6}", defect.name().0);
    for (name, _) in adeval_eval::consistency::WEIGHTS {
        line += &format!(" {:7.1}", mean(parts.remove(name).unwrap_or_default()));
    }
    let contact = mean(found.iter().filter_map(|one| one.measures.contact_shadow).collect());
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for one in found {
        for kind in one.verdict.kinds() {
            *reasons.entry(format!("{kind:?}")).or_default() += 1;
        }
    }
    println!("{line} {:7.1} {contact:7.1}  {reasons:?}", mean(found.iter().map(|one| one.score).collect()));
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "png" || extension == "jpg"));
    paths.sort();
    if paths.is_empty() { Err(format!("{}: no picture there", folder.display()).into()) } else { Ok(paths) }
}

/// The product's alpha box, 300 pixels at its longer side, on the scene's ground.
fn stage(product: &Path, scene: &Path) -> Result<Stage> {
    let whole = image::open(product)?.to_rgba8();
    let seen = || whole.enumerate_pixels().filter(|(_, _, p)| p.0[3] > 0);
    let span = |of: fn(u32, u32) -> u32| {
        let values = || seen().map(|(x, y, _)| of(x, y));
        values().min().zip(values().max()).ok_or("an empty picture")
    };
    let ((x0, x1), (y0, y1)) = (span(|x, _| x)?, span(|_, y| y)?);
    let tight = crop_imm(&whole, x0, y0, x1 - x0 + 1, y1 - y0 + 1).to_image();
    let scale = f64::from(LONGER) / f64::from(tight.width().max(tight.height()));
    let side = |size: u32| ((f64::from(size) * scale).round() as u32).max(1);
    let product = resize(&tight, side(tight.width()), side(tight.height()), FilterType::Triangle);
    let scene = resize(&image::open(scene)?.to_rgb8(), SIDE, SIDE, FilterType::Triangle);
    let left = (SIDE - product.width()) as i32 / 2;
    let top = 440 - product.height() as i32;
    Ok(Stage { scene, product, left, top })
}
