//! What the parts of a split share: products, and pictures that are nearly the same.

use crate::near::{self, picture_of};
use crate::records::split::Members;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Leaks that are named; the others are counted.
const NAMED: usize = 20;

/// What parts share.
#[derive(Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Leaks {
    /// Products in more than one part.
    pub products: u64,
    /// The first of them.
    pub first_products: Vec<String>,
    /// Pictures of creatives that were compared; absent without a folder of pictures.
    pub pictures: Option<Pictures>,
}

/// Pictures across parts.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Pictures {
    /// Pictures that were compared.
    pub compared: u64,
    /// Creatives without a picture in the folder.
    pub missing: u64,
    /// The first of them.
    pub first_missing: Vec<String>,
    /// Pictures that cannot be read, and why.
    pub unreadable: Vec<String>,
    /// Most bits of 128 in which the hashes of near-duplicates differ.
    pub distance: u32,
    /// Pairs of near-duplicates in different parts.
    pub pairs: u64,
    /// The nearest of them.
    pub first_pairs: Vec<NearPair>,
}

/// Two pictures in different parts that are nearly the same.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NearPair {
    /// One creative, with its part.
    pub a: [String; 2],
    /// The other.
    pub b: [String; 2],
    /// Bits of 128 in which their hashes differ.
    pub bits: u32,
}

impl Leaks {
    /// Compares parts, given by name.
    pub fn of(parts: &[(String, Members)], images: Option<&Path>, distance: u32) -> Self {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, members) in parts {
            members.found.keys().for_each(|product| *places.entry(product).or_default() += 1);
        }
        let shared: Vec<&str> =
            places.into_iter().filter(|(_, n)| *n > 1).map(|(product, _)| product).collect();
        Self {
            products: shared.len() as u64,
            first_products: shared.iter().take(NAMED).map(|p| (*p).to_owned()).collect(),
            pictures: images.map(|folder| pictures(parts, folder, distance)),
        }
    }

    /// Whether there is a leak.
    pub fn any(&self) -> bool {
        self.products > 0 || self.pictures.as_ref().is_some_and(|p| p.pairs > 0)
    }
}

fn pictures(parts: &[(String, Members)], folder: &Path, distance: u32) -> Pictures {
    let creatives: Vec<(usize, &str)> = parts
        .iter()
        .enumerate()
        .flat_map(|(part, (_, members))| {
            let mut names: Vec<&str> = members.found.values().flatten().map(|c| &**c).collect();
            names.sort_unstable();
            names.dedup();
            names.into_iter().map(move |name| (part, name))
        })
        .collect();
    let found: Vec<Result<u128, Option<String>>> = creatives
        .par_iter()
        .map(|(_, name)| near::hash_file(&picture_of(folder, name).ok_or(None)?).map_err(Some))
        .collect();
    let (mut hashes, mut names, mut missing, mut unreadable) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((part, name), found) in creatives.into_iter().zip(found) {
        match found {
            Ok(hash) => {
                hashes.push((part, hash));
                names.push([parts[part].0.clone(), name.to_owned()]);
            }
            Err(None) => missing.push(name.to_owned()),
            Err(Some(why)) => unreadable.push(why),
        }
    }
    let mut pairs = near::across(&hashes, distance);
    pairs.sort_by_key(|(a, b, bits)| (*bits, *a, *b));
    let named =
        |&(a, b, bits): &(usize, usize, u32)| NearPair { a: names[a].clone(), b: names[b].clone(), bits };
    Pictures {
        compared: hashes.len() as u64,
        missing: missing.len() as u64,
        first_missing: missing.into_iter().take(NAMED).collect(),
        unreadable,
        distance,
        pairs: pairs.len() as u64,
        first_pairs: pairs.iter().take(NAMED).map(named).collect(),
    }
}
