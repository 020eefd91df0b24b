//! A snapshot of what a suite gives now.

use super::{FORMAT_VERSION, ImageOf, Manifest, Snapshot, SnapshotError, metrics};
use crate::bench::{self, Artifact, BenchError, BenchOptions, Services};
use crate::suite::Suite;
use adeval_sdk::testkit::machine_class;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// A new snapshot, and what could not be in it.
#[derive(Debug)]
pub struct Taken {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Failures of the run, one sentence each.
    pub failures: Vec<String>,
}

/// Runs the first `products` of a suite in a run directory, or what is missing there.
///
/// # Errors
/// [`SnapshotError::Bench`] when the suite cannot be run. A creative that fails is in [`Taken::failures`].
pub fn take(
    suite: &Suite,
    products: usize,
    run_dir: &Path,
    services: &Services<'_>,
) -> Result<Taken, SnapshotError> {
    if suite.entries.is_empty() {
        let message =
            format!("{}: a snapshot is of entries, and there is no [[entry]]", suite.file.display());
        return Err(BenchError::Suite(message).into());
    }
    let products = suite.products.limit.map_or(products, |limit| limit.min(products));
    let options =
        BenchOptions { run_dir: Some(run_dir.to_owned()), limit: Some(products), ..BenchOptions::default() };
    let outcome = bench::run(suite, &options, services)?;
    let artifacts = bench::artifacts(suite, &options, services)?;
    let run = crate::store::open_read(run_dir)?;
    let used = run.manifest.components.into_iter();
    let components = used.map(|(user, c)| (user, format!("{} ({} {})", c.component, c.library, c.version)));
    let images = images(&artifacts)?;
    let embeddings: BTreeMap<String, Vec<f32>> =
        artifacts.iter().filter_map(|a| Some((key(a), a.features.clone()?))).collect();
    let machine = machine_class();
    let image_of =
        |key: &String| ImageOf { file: format!("images/{}", file_name(key, "/")), machine: machine.clone() };
    let failures = outcome.board.rows.iter().flat_map(|row| {
        let of = move |f: &adeval_eval::leaderboard::Failure| {
            format!("{}/{}/{}: {}: {}", row.entry, f.product, f.sample, f.stage, f.message)
        };
        row.failures.iter().map(of)
    });
    let snapshot = Snapshot {
        manifest: Manifest {
            format_version: FORMAT_VERSION,
            adeval_version: env!("CARGO_PKG_VERSION").into(),
            suite: suite.name.clone(),
            products,
            components: components.collect(),
            embedding_length: embeddings.values().next().map_or(0, Vec::len),
            embeddings: embeddings.keys().cloned().collect(),
            images: images.keys().map(|key| (key.clone(), image_of(key))).collect(),
            machine: machine.clone(),
        },
        prompts: artifacts.iter().map(|a| (key(a), a.prompt.clone())).collect(),
        metrics: metrics::metrics(&outcome.result, run_dir),
        embeddings,
        images,
    };
    Ok(Taken { failures: failures.collect(), snapshot })
}

fn key(artifact: &Artifact) -> String {
    format!("{}/{}/{}", artifact.entry, artifact.product, artifact.sample)
}

/// A file for a key: `ENTRY`, a separator, and `PRODUCT-SAMPLE.png`, in plain characters.
pub(super) fn file_name(key: &str, separator: &str) -> String {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
    };
    let (entry, rest) = key.split_once('/').unwrap_or(("", key));
    let (product, sample) = rest.rsplit_once('/').unwrap_or((rest, "0"));
    format!("{}{separator}{}-{sample}.png", plain(entry), plain(product))
}

/// The creatives as PNGs, packed as small as they go: they are to be committed.
fn images(artifacts: &[Artifact]) -> Result<BTreeMap<String, Vec<u8>>, SnapshotError> {
    let made = artifacts.par_iter().filter_map(|artifact| {
        let path = artifact.image.as_ref()?;
        let packed = std::fs::read(path)
            .map_err(|error| error.to_string())
            .and_then(|png| super::differences::decode(&png))
            .and_then(|image| pack(&image).map_err(|error| error.to_string()));
        Some(packed.map(|png| (key(artifact), png)).map_err(|reason| SnapshotError::read(path, reason)))
    });
    made.collect()
}

fn pack(image: &image::RgbImage) -> Result<Vec<u8>, image::ImageError> {
    let (width, height) = image.dimensions();
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive).write_image(
        image.as_raw(),
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(png)
}
