//! Products from files: a `products.json`, one image, or a folder of images.
//!
//! A bad product never ends a run: it is reported with the reason and the mend, and left out.

mod decode;
mod network;

use crate::bench::BenchError;
use adeval_sdk::{Image, Product};
pub use decode::{MAX_SIDE, decode_file, decode_rgb};
use image::{GrayImage, RgbImage, RgbaImage};
pub use network::CutOutNetwork;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// Cuts a product out of a photograph that has no alpha.
pub trait Matting: Sync {
    /// Opacity of the product, of the photograph's size: 0 is background, 255 product.
    ///
    /// # Errors
    /// One sentence.
    fn alpha(&self, photograph: &RgbImage) -> Result<GrayImage, String>;
}

/// A product that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BadProduct {
    /// Its id.
    pub id: String,
    /// What is wrong, and the mend.
    pub message: String,
}

/// What a source holds.
#[derive(Debug, Default)]
pub struct Products {
    /// The usable ones, in the source's order.
    pub good: Vec<Product>,
    /// The others.
    pub bad: Vec<BadProduct>,
    /// What a user should know, e.g. that a product was cut out.
    pub warnings: Vec<String>,
}

/// One product of a `products.json`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductRecord {
    /// Unique id.
    pub id: String,
    /// Image file, relative to the list's folder: PNG, JPEG or WebP, with alpha or without.
    pub image: PathBuf,
    /// The title, as a shop would write it.
    pub title: String,
    /// From the widest category to the narrowest.
    #[serde(default)]
    pub category: Vec<String>,
    /// Price asked, in `currency`.
    #[serde(default)]
    pub price: Option<f64>,
    /// Price before the discount.
    #[serde(default)]
    pub list_price: Option<f64>,
    /// ISO 4217 code of the prices.
    #[serde(default)]
    pub currency: Option<String>,
    /// Number of good comments.
    #[serde(default)]
    pub good_comments: Option<u64>,
    /// Number of orders in the last year.
    #[serde(default)]
    pub yearly_orders: Option<u64>,
    /// Anything else that is known.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// Reads the products of `source`, at most `limit` of them.
///
/// # Errors
/// [`BenchError::Products`] when the source itself is missing, unreadable or empty, or no product is usable.
pub fn load(source: &Path, limit: Option<usize>, matting: &dyn Matting) -> Result<Products, BenchError> {
    let listing = Listing::of(source, limit)?;
    let products = listing.read(matting);
    match products.bad.first() {
        Some(first) if products.good.is_empty() => {
            Err(none_usable(&source.display().to_string(), products.bad.len(), &first.message))
        }
        _ => Ok(products),
    }
}

/// What is said when a list has no product to go on with.
pub fn none_usable(source: &str, count: usize, first: &str) -> BenchError {
    BenchError::Products(format!("{source}: none of the {count} products can be used; the first: {first}"))
}

/// What a source lists, before any picture is read.
#[derive(Debug, Clone)]
pub struct Listing {
    records: Vec<ProductRecord>,
    folder: PathBuf,
}

impl Listing {
    /// Reads a list of at most `limit` products.
    ///
    /// # Errors
    /// [`BenchError::Products`] when it is missing, unreadable or empty.
    pub fn of(source: &Path, limit: Option<usize>) -> Result<Self, BenchError> {
        let mut records = list(source)?;
        records.truncate(limit.unwrap_or(usize::MAX));
        if records.is_empty() {
            return Err(BenchError::Products(format!(
                "{} holds no product; give a products.json, an image, or a folder with PNG, JPEG or WebP images",
                source.display()
            )));
        }
        let folder = if source.is_dir() { source } else { source.parent().unwrap_or(Path::new(".")) };
        Ok(Self { records, folder: folder.to_owned() })
    }

    /// Number of products.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it lists nothing.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The ids, in order.
    pub fn ids(&self) -> Vec<String> {
        self.records.iter().map(|record| record.id.clone()).collect()
    }

    /// BLAKE3 of all that it says, pictures by their names.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for record in &self.records {
            // Text and numbers only: nothing here can fail.
            hasher.update(&serde_json::to_vec(record).unwrap_or_default());
            hasher.update(b"\n");
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The products at some of the positions.
    #[must_use]
    pub fn at(self, wanted: impl Fn(usize) -> bool) -> Self {
        let kept = self.records.into_iter().enumerate().filter(|(at, _)| wanted(*at));
        Self { records: kept.map(|(_, record)| record).collect(), folder: self.folder }
    }

    /// Reads the pictures.
    pub fn read(&self, matting: &dyn Matting) -> Products {
        let read: Vec<_> =
            self.records.par_iter().map(|record| read(record, &self.folder, matting)).collect();
        let mut products = Products::default();
        for (record, outcome) in self.records.iter().zip(read) {
            match outcome {
                Ok((product, warning)) => {
                    products.warnings.extend(warning);
                    products.good.push(product);
                }
                Err(reason) => products.bad.push(BadProduct {
                    message: format!("product \"{}\": {reason}", record.id),
                    id: record.id.clone(),
                }),
            }
        }
        products
    }
}

fn list(source: &Path) -> Result<Vec<ProductRecord>, BenchError> {
    let missing = |e: std::io::Error| {
        BenchError::Products(format!(
            "{}: the products cannot be read: {e}; check the path",
            source.display()
        ))
    };
    if std::fs::metadata(source).map_err(missing)?.is_dir() {
        let mut files: Vec<PathBuf> = image_files(source).map_err(missing)?;
        files.sort();
        return Ok(of_images(&files));
    }
    if source.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
        let text = std::fs::read_to_string(source).map_err(missing)?;
        let records: Vec<ProductRecord> = serde_json::from_str(&text).map_err(|e| {
            BenchError::Products(format!("{}: not a list of products: {e}", source.display()))
        })?;
        let mut seen = HashSet::new();
        return match records.iter().find(|r| !seen.insert(r.id.as_str()) || r.id.is_empty()) {
            Some(record) => Err(BenchError::Products(format!(
                "{}: the id \"{}\" occurs twice or is empty; each product needs its own",
                source.display(),
                record.id
            ))),
            None => Ok(records),
        };
    }
    Ok(of_images(&[source.to_owned()]))
}

/// The image files of a folder, in no order.
///
/// # Errors
/// When the folder cannot be listed.
pub fn image_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if ["png", "jpg", "jpeg", "webp"].contains(&extension.as_str()) {
            files.push(path);
        }
    }
    Ok(files)
}

/// Products of which only pictures are known. An id is the file's name, with its extension where another has that name.
fn of_images(files: &[PathBuf]) -> Vec<ProductRecord> {
    let mut stems = BTreeMap::<_, usize>::new();
    files.iter().for_each(|file| *stems.entry(file.file_stem()).or_default() += 1);
    let record = |file: &PathBuf| {
        let alone = stems.get(&file.file_stem()) == Some(&1);
        let id = if alone { file.file_stem() } else { file.file_name() };
        of_image(file, id.unwrap_or_default().to_string_lossy().into_owned())
    };
    files.iter().map(record).collect()
}

/// The file's name serves as the title, too.
fn of_image(file: &Path, id: String) -> ProductRecord {
    let title = file.file_stem().unwrap_or_default().to_string_lossy().replace(['-', '_'], " ");
    ProductRecord {
        id,
        image: file.file_name().map(PathBuf::from).unwrap_or_default(),
        title,
        category: Vec::new(),
        price: None,
        list_price: None,
        currency: None,
        good_comments: None,
        yearly_orders: None,
        attributes: BTreeMap::new(),
    }
}

fn read(
    record: &ProductRecord,
    folder: &Path,
    matting: &dyn Matting,
) -> Result<(Product, Option<String>), String> {
    let file = folder.join(&record.image);
    let pixels = decode_file(&file)?;
    let (pixels, warning) = with_alpha(pixels, matting).map_err(|e| format!("{}: {e}", file.display()))?;
    let warning = warning.map(|w| format!("product \"{}\": {w}", record.id));
    let r = record.clone();
    let product = Product {
        id: r.id,
        title: r.title,
        category: r.category,
        price: r.price,
        list_price: r.list_price,
        currency: r.currency,
        good_comments: r.good_comments,
        yearly_orders: r.yearly_orders,
        attributes: r.attributes,
        image: Image::from(pixels),
    };
    Ok((product, warning))
}

/// An opaque picture is cut out; a picture with alpha is taken as it is.
fn with_alpha(mut pixels: RgbaImage, matting: &dyn Matting) -> Result<(RgbaImage, Option<String>), String> {
    if pixels.pixels().any(|p| p.0[3] != 255) {
        if pixels.pixels().all(|p| p.0[3] == 0) {
            return Err(
                "no pixel is visible (alpha is 0 everywhere); give a cut-out or an opaque photograph".into(),
            );
        }
        return Ok((pixels, None));
    }
    let photograph = image::DynamicImage::ImageRgba8(pixels.clone()).to_rgb8();
    let alpha = matting.alpha(&photograph)?;
    if alpha.dimensions() != pixels.dimensions() {
        return Err("the cut-out has another size than its photograph; please report it".into());
    }
    pixels.pixels_mut().zip(alpha.pixels()).for_each(|(p, a)| p.0[3] = a.0[0]);
    if pixels.pixels().all(|p| p.0[3] == 0) {
        return Err("no product was found in the photograph; give an image with alpha".into());
    }
    let warning = "the image has no alpha, so the product was cut out by a network; check the result, or give a cut-out";
    Ok((pixels, Some(warning.into())))
}

#[cfg(test)]
mod tests;
