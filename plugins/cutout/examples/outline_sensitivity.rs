//! What the outline measure says of products that did not outgrow their outline, and of some that did by known pixels.
//!
//! ```text
//! cargo run --release -p adeval-cutout --example outline_sensitivity -- fixtures/products/images fixtures/reference/images
//! ```
//!
//! Every 21st picture of the first folder is laid on a plain ground and on a picture of the second folder, 512x512. For the
//! defect, the same product, larger by twice the planted pixels along its longer side, is painted beneath. Each picture is segmented by
//! U2-Net-p and measured. Printed per ground and growth: quartiles of the outgrowth, the medians of reach, erosion and boundary score,
//! and in how many products the outgrowth is above that of the same product without the defect.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::path::{Path, PathBuf};

use adeval_cutout::CutOut;
use adeval_models::opencv::{Interpolation, resize};
use adeval_models::product_canvas::{CanvasOptions, ProductCanvas};
use adeval_sdk::outline::{Outline, OutlineOptions, outline};
use image::{Rgb, RgbImage, RgbaImage};

const SIDE: u32 = 512;
const PRODUCT: u32 = 399;
const GROWTH: [u32; 4] = [0, 4, 8, 16];
const EVERY: usize = 21;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut folders = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(products), Some(scenes)) = (folders.next(), folders.next()) else {
        return Err("name a folder of cut-outs and a folder of scenes".into());
    };
    let products: Vec<PathBuf> = pictures(&products)?.into_iter().step_by(EVERY).collect();
    let scenes = pictures(&scenes)?;
    let network = CutOut::load()?;
    println!(
        "ground  growth  outgrowth q25    q50    q75   reach  erosion  boundary  above its own 0 (of {})",
        products.len()
    );
    for ground in ["plain", "scene"] {
        let mut sound: Vec<f64> = Vec::new();
        for by in GROWTH {
            let measured: Vec<Outline> = products
                .iter()
                .enumerate()
                .map(|(index, path)| {
                    let scene = (ground == "scene").then(|| &scenes[index * scenes.len() / products.len()]);
                    measure(&network, path, scene.map(PathBuf::as_path), by)
                })
                .collect::<Result<_>>()?;
            let outgrowth: Vec<f64> = measured.iter().map(|outline| outline.outgrowth).collect();
            if by == 0 {
                sound.clone_from(&outgrowth);
            }
            let above = outgrowth.iter().zip(&sound).filter(|(grown, sound)| grown > sound).count();
            let median = |of: fn(&Outline) -> f64| quantile(measured.iter().map(of).collect(), 0.5);
            let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile(outgrowth.clone(), share));
            println!(
                "{ground:6}  {by:4} px  {low:13.3}  {middle:5.3}  {high:5.3}  {:6.1}  {:7.3}  {:8.3}  {above:15}",
                median(|o| o.reach),
                median(|o| o.erosion),
                median(|o| o.boundary),
            );
        }
    }
    Ok(())
}

fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "png" || extension == "jpg"));
    paths.sort();
    if paths.is_empty() { Err(format!("{}: no picture there", folder.display()).into()) } else { Ok(paths) }
}

/// Lays the product on its ground, larger by `by` pixels on all sides beneath, and measures what the network sees.
fn measure(network: &CutOut, product: &Path, scene: Option<&Path>, by: u32) -> Result<Outline> {
    let cutout = image::open(product)?.to_rgba8();
    let ground = match scene {
        Some(path) => resize(&image::open(path)?.to_rgb8(), SIDE, SIDE, Interpolation::Area)?,
        None => RgbImage::from_pixel(SIDE, SIDE, Rgb([205, 203, 198])),
    };
    let placed = canvas(&cutout, PRODUCT)?;
    let creative = placed.paste(&canvas(&cutout, PRODUCT + 2 * by)?.paste(&ground)?)?;
    Ok(outline(&network.alpha(&creative)?, &placed.alpha, OutlineOptions::default())?)
}

fn canvas(cutout: &RgbaImage, longer: u32) -> Result<ProductCanvas> {
    let share = (f64::from(longer) + 0.5) / f64::from(SIDE);
    let options = CanvasOptions { width: SIDE, height: SIDE, share, ..Default::default() };
    Ok(ProductCanvas::new(cutout, &options)?)
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
