//! Creatives as files with names, and what is true of each.

use super::{MarketError, MarketJob, check_cancelled, table};
use crate::bench::{Artifact, BenchError, Creatives, Services};
use crate::products::decode_rgb;
use crate::records::{Cell, Field, Kind};
use adeval_eval::market::{Facts, Truth};
use adeval_sdk::Product;
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::Path;

/// A product with all that is on sale of it.
pub struct Stall {
    /// Its widest category.
    pub category: String,
    /// What shoppers know of it.
    pub facts: Facts,
    /// Its creatives.
    pub goods: Vec<Good>,
}

/// A creative on sale.
pub struct Good {
    /// Its name in all tables; its picture is `creatives/NAME.png`.
    pub name: String,
    pub truth: Truth,
}

/// Publishes all creatives, and looks at them as shoppers do.
pub fn stalls(job: &MarketJob, made: &Creatives, services: &Services<'_>) -> Result<Vec<Stall>, MarketError> {
    let folder = job.out.join("creatives");
    std::fs::create_dir_all(&folder).map_err(BenchError::write(&folder))?;
    let all: Vec<(&Artifact, String)> = made.artifacts.iter().map(|one| (one, name(one))).collect();
    let mut names = HashSet::new();
    if let Some((_, twice)) = all.iter().find(|(_, name)| !names.insert(name)) {
        return Err(MarketError::SameName(twice.clone()));
    }
    write_list(job, &all)?;
    services.progress.stage("creatives on sale", all.len());
    let stalls = made.products.par_iter().map(|product| {
        check_cancelled(job, services)?;
        let of_product: Vec<_> = all.iter().filter(|(one, _)| one.product == product.id).collect();
        let stall = stall(job, product, &of_product, &folder);
        services.progress.advance(of_product.len());
        stall
    });
    stalls.collect()
}

fn stall(
    job: &MarketJob,
    product: &Product,
    artifacts: &[&(&Artifact, String)],
    folder: &Path,
) -> Result<Stall, MarketError> {
    let facts =
        Facts::of(product).map_err(|e| MarketError::Eval(format!("product \"{}\": {e}", product.id)))?;
    let mut goods = Vec::new();
    for (artifact, name) in artifacts {
        let (Some(image), Some(placement)) = (&artifact.image, artifact.placement) else { continue };
        let bytes = std::fs::read(image).map_err(|e| BenchError::Read {
            path: image.clone(),
            reason: format!("it cannot be read: {e}"),
        })?;
        let pixels =
            decode_rgb(&bytes, image).map_err(|reason| BenchError::Read { path: image.clone(), reason })?;
        let truth = job.market.true_ctr(&facts, &pixels, &placement).map_err(MarketError::of(name))?;
        publish(image, &folder.join(format!("{name}.png")))?;
        goods.push(Good { name: name.clone(), truth });
    }
    Ok(Stall { category: product.category.first().cloned().unwrap_or_default(), facts, goods })
}

/// Gives a picture its name: as a link where the file system has them, or else as a copy.
fn publish(image: &Path, place: &Path) -> Result<(), BenchError> {
    if place.exists() {
        std::fs::remove_file(place).map_err(BenchError::write(place))?;
    }
    std::fs::hard_link(image, place)
        .or_else(|_| std::fs::copy(image, place).map(|_| ()))
        .map_err(BenchError::write(place))
}

/// The name of a creative in all tables.
pub fn name(one: &Artifact) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    format!("{}-{}-{}", one.product, one.entry, one.sample).chars().map(plain).collect()
}

/// `creatives.csv`: where each creative comes from.
fn write_list(job: &MarketJob, all: &[(&Artifact, String)]) -> Result<(), MarketError> {
    let text = ["product", "creative", "image", "entry"].map(|name| Field::new(name, Kind::Text));
    let whole = ["sample", "left", "top", "width", "height"].map(|name| Field::new(name, Kind::Whole));
    let fields = text.into_iter().chain(whole).chain([Field::new("prompt", Kind::Text)]).collect();
    let mut list = table(&job.out.join("creatives.csv"), fields)?;
    for (one, name) in all {
        let Some(at) = one.placement else { continue };
        let place = [i64::from(one.sample), at.left.into(), at.top.into(), at.width.into(), at.height.into()];
        let own = |text: &str| Cell::Text(text.to_owned().into());
        let mut row =
            vec![own(&one.product), own(name), own(&format!("creatives/{name}.png")), own(&one.entry)];
        row.extend(place.map(Cell::Whole));
        row.push(own(&one.prompt));
        list.row(&row).map_err(MarketError::Table)?;
    }
    list.finish().map_err(MarketError::Table)?;
    Ok(())
}
