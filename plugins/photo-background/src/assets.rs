//! The pictures inside the library, each with where it comes from and the words that choose it.

use crate::texture::Texture;
use adeval_sdk::{ErrorKind, PluginError, Result};
use std::sync::OnceLock;

/// One picture.
#[derive(Debug)]
pub struct Asset {
    /// Name, unique within the library.
    pub id: &'static str,
    /// File name under `assets/`.
    pub file: &'static str,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: &'static str,
    /// SPDX identifier.
    pub licence: &'static str,
    /// Who made it.
    pub author: &'static str,
    /// The package it was taken from.
    pub package: &'static str,
    /// That package's version.
    pub version: &'static str,
    /// The file inside that package.
    pub source: &'static str,
    /// Words that say what it shows.
    pub names: &'static [&'static str],
    /// Words that go with it.
    pub words: &'static [&'static str],
    /// `indoor`, `outdoor`, `studio`: where it belongs.
    pub places: &'static [&'static str],
    /// What it is for.
    pub role: Role,
    /// The JPEG file itself.
    pub jpeg: &'static [u8],
}

/// What a picture is for.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    /// Something far behind the product.
    Backdrop(Backdrop),
    /// Something for the product to stand on.
    Surface(Surface),
}

/// What compositing needs to know of a photograph.
#[derive(Debug, Clone, Copy)]
pub struct Backdrop {
    /// Height of the camera's horizon, as a share of the picture's height from the top.
    pub horizon: f32,
    /// Unit vector towards the light: right, up, towards the camera.
    pub light: [f32; 3],
    /// Where ground that a product can stand on begins, as a share from the top.
    pub ground: Option<f32>,
    /// Whether it is out of focus already.
    pub blurred: bool,
    /// Ids of surfaces that go over into the picture's own floor.
    pub floor: &'static [&'static str],
}

/// What compositing needs to know of a texture.
#[derive(Debug, Clone, Copy)]
pub struct Surface {
    /// Side of the texture in metres.
    pub tile: f32,
    /// Share of the light that it mirrors at a grazing angle, 0 to 1.
    pub gloss: f32,
    /// Whether it can also be a wall.
    pub wall: bool,
    /// Whether it has no lines that must join up, so that shifted copies may be mixed.
    pub loose: bool,
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// All pictures, in the order of `assets/index.json`.
pub fn all() -> &'static [Asset] {
    &ASSETS
}

/// The backdrops among them.
pub(crate) fn backdrops() -> impl Iterator<Item = (&'static Asset, Backdrop)> {
    ASSETS.iter().filter_map(|a| match a.role {
        Role::Backdrop(backdrop) => Some((a, backdrop)),
        Role::Surface(_) => None,
    })
}

/// The surfaces among them.
pub(crate) fn surfaces() -> impl Iterator<Item = (&'static Asset, Surface)> {
    ASSETS.iter().filter_map(|a| match a.role {
        Role::Surface(surface) => Some((a, surface)),
        Role::Backdrop(_) => None,
    })
}

impl Asset {
    /// The decoded picture; decoded at the first use and kept.
    ///
    /// # Errors
    /// `BadWeights` when the library's copy of the picture is damaged.
    pub(crate) fn texture(&'static self) -> Result<&'static Texture> {
        static DECODED: [OnceLock<Result<Texture>>; ASSETS.len()] = [const { OnceLock::new() }; ASSETS.len()];
        let index = ASSETS.iter().position(|a| a.id == self.id).unwrap_or_default();
        let decoded = DECODED[index].get_or_init(|| {
            Texture::decode(self.jpeg).map_err(|e| {
                PluginError::new(
                    ErrorKind::BadWeights,
                    format!("the picture {} does not decode: {e}", self.file),
                )
                .with_hint("the library file is damaged; build or install it again")
            })
        });
        decoded.as_ref().map_err(Clone::clone)
    }
}
