//! What a reward model learns from: products with creatives, their pictures and their clicks.

use super::recipe::{Data, Recipe};
use crate::bench::{BenchError, Services, load_rgb, product_hash};
use crate::market::products_of;
use crate::near::picture_of;
use crate::products;
use crate::records::{CreativeTotals, ReadOptions, read as read_table};
use crate::suite::Suite;
use crate::train::TrainError;
use adeval_eval::pairs::Arm;
use adeval_sdk::{Image, Product};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// A product with its creatives.
pub struct Advertised {
    pub product: Product,
    pub creatives: Vec<Creative>,
}

/// A creative that was shown.
pub struct Creative {
    pub name: String,
    pub image: PathBuf,
    pub arm: Arm,
}

/// All that is learnt from.
pub struct Shop {
    /// In the order of their ids.
    pub products: Vec<Advertised>,
    /// A hash of names, clicks, pictures and products.
    pub hash: String,
    /// Where the truth is, when the data are a market's.
    pub truth: Option<PathBuf>,
    /// Products of the totals that the list of products does not have.
    pub unlisted: usize,
}

/// Where the parts of the data are.
struct Sources {
    totals: PathBuf,
    images: PathBuf,
    products: PathBuf,
    truth: Option<PathBuf>,
}

impl Sources {
    fn of(recipe: &Recipe, suite: &Suite) -> Result<Self, TrainError> {
        let Data { market, totals, images } = &recipe.data;
        let listed = &recipe.products.path;
        let listed = (!listed.as_os_str().is_empty()).then(|| suite.resolve(listed));
        let wrong = |what: &str| TrainError::Recipe(format!("{}: {what}", recipe.file.display()));
        match (market, totals, images) {
            (Some(market), None, None) => {
                let market = suite.resolve(market);
                let products = listed.map_or_else(|| products_of(&market), Ok)?;
                let truth = Some(market.join("truth/creatives.csv"));
                let totals = market.join(crate::market::TOTALS);
                Ok(Self { totals, images: market.join("creatives"), products, truth })
            }
            (None, Some(totals), Some(images)) => {
                let products = listed.ok_or_else(|| {
                    wrong("there is no products.path: a reward model is told what is advertised; name a products.json")
                })?;
                Ok(Self {
                    totals: suite.resolve(totals),
                    images: suite.resolve(images),
                    products,
                    truth: None,
                })
            }
            _ => Err(wrong(
                "it does not say what to learn from; give data.market, a folder made by `adeval market`, or data.totals with data.images, and not both",
            )),
        }
    }
}

/// Reads all of it.
///
/// # Errors
/// [`TrainError`]: a table that cannot be read, a creative without a picture, no product with two creatives.
pub fn read(recipe: &Recipe, suite: &Suite, services: &Services<'_>) -> Result<Shop, TrainError> {
    let sources = Sources::of(recipe, suite)?;
    let mut totals = CreativeTotals::default();
    read_table(&sources.totals, &ReadOptions::default(), &mut totals)
        .map_err(|error| TrainError::Recipe(error.to_string()))?;
    let read = products::load(&sources.products, recipe.products.limit, services.matting)?;
    read.warnings.iter().for_each(|warning| services.progress.warn(warning));
    read.bad.iter().for_each(|bad| services.progress.warn(&bad.message));
    let mut known: HashMap<String, Product> =
        read.good.into_iter().map(|product| (product.id.clone(), product)).collect();
    let mut listed = BTreeMap::new();
    let mut unlisted = Vec::new();
    for (id, creatives) in totals.by_name() {
        match known.remove(&id) {
            Some(product) => drop(listed.insert(id, (product, creatives))),
            None => unlisted.push(id),
        }
    }
    tell_unlisted(&unlisted, &sources, services);
    let products =
        listed.into_values().map(|(product, creatives)| advertised(product, creatives, &sources.images));
    let products = products.collect::<Result<Vec<_>, _>>()?;
    if !products.iter().any(|one| one.creatives.len() > 1) {
        return Err(TrainError::Recipe(format!(
            "{}: no product of {} has two creatives that were shown; a reward model learns from pairs of one product's creatives",
            sources.totals.display(),
            sources.products.display()
        )));
    }
    let hash = hash(&products)?;
    Ok(Shop { products, hash, truth: sources.truth, unlisted: unlisted.len() })
}

fn tell_unlisted(unlisted: &[String], sources: &Sources, services: &Services<'_>) {
    if let Some(first) = unlisted.first() {
        services.progress.warn(&format!(
            "{} products of {} are not in {} and are left out, \"{first}\" first",
            unlisted.len(),
            sources.totals.display(),
            sources.products.display()
        ));
    }
}

fn advertised(
    product: Product,
    creatives: Vec<(String, Arm)>,
    images: &Path,
) -> Result<Advertised, TrainError> {
    let shown = creatives.into_iter().filter(|(_, arm)| arm.impressions > 0);
    let with_picture = shown.map(|(name, arm)| {
        let image = picture_of(images, &name).ok_or_else(|| {
            TrainError::Recipe(format!(
                "creative \"{name}\" of product \"{}\" has no picture in {}; put it there as {name}.png, or leave the creative out of the totals",
                product.id,
                images.display()
            ))
        })?;
        Ok(Creative { name, image, arm })
    });
    let creatives = with_picture.collect::<Result<Vec<_>, TrainError>>()?;
    Ok(Advertised { product, creatives })
}

fn hash(products: &[Advertised]) -> Result<String, TrainError> {
    let of = |one: &Advertised| -> Result<String, TrainError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(product_hash(&one.product).as_bytes());
        for Creative { name, image, arm } in &one.creatives {
            let bytes = std::fs::read(image).map_err(BenchError::read(image))?;
            hasher.update(format!("{name}\n{} {}\n", arm.impressions, arm.clicks).as_bytes());
            hasher.update(blake3::hash(&bytes).as_bytes());
        }
        Ok(hasher.finalize().to_hex().to_string())
    };
    let parts = products.par_iter().map(of).collect::<Result<Vec<_>, _>>()?;
    Ok(blake3::hash(parts.concat().as_bytes()).to_hex().to_string())
}

/// Pictures of creatives, decoded once as long as they fit.
pub struct Pictures<'a> {
    shop: &'a Shop,
    kept: HashMap<(usize, usize), Image>,
    bytes: usize,
}

/// What decoded pictures may take.
const KEPT_BYTES: usize = 512 << 20;

impl<'a> Pictures<'a> {
    pub fn new(shop: &'a Shop) -> Self {
        Self { shop, kept: HashMap::new(), bytes: 0 }
    }

    /// The pictures of creatives (a product's place and the creative's in it), in order.
    ///
    /// # Errors
    /// [`TrainError::Component`] with the file that is no picture.
    pub fn get(&mut self, wanted: &[(usize, usize)]) -> Result<Vec<Image>, TrainError> {
        let mut missing: Vec<_> =
            wanted.iter().filter(|place| !self.kept.contains_key(place)).copied().collect();
        missing.sort_unstable();
        missing.dedup();
        let decode = |&(product, creative): &(usize, usize)| {
            load_rgb(&self.shop.products[product].creatives[creative].image).map(Image::from)
        };
        let decoded = missing.par_iter().map(decode).collect::<Result<Vec<_>, _>>();
        let decoded = decoded.map_err(|error| TrainError::Component { user: "creatives".into(), error })?;
        let mut fresh = HashMap::new();
        for (place, image) in missing.into_iter().zip(decoded) {
            if self.bytes + image.bytes().len() <= KEPT_BYTES {
                self.bytes += image.bytes().len();
                self.kept.insert(place, image);
            } else {
                fresh.insert(place, image);
            }
        }
        let found =
            wanted.iter().filter_map(|place| self.kept.get(place).or_else(|| fresh.get(place)).cloned());
        Ok(found.collect())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use image::RgbaImage;

    /// A product with creatives of such clicks and impressions, without pictures.
    pub fn advertised(id: &str, arms: &[(u64, u64)]) -> Advertised {
        let image = Image::from(RgbaImage::new(1, 1));
        let product = Product::new(id, id, image);
        let creatives = arms.iter().enumerate().map(|(at, &(clicks, impressions))| Creative {
            name: format!("{id}-{at}"),
            image: PathBuf::new(),
            arm: Arm { clicks, impressions },
        });
        Advertised { product, creatives: creatives.collect() }
    }
}
