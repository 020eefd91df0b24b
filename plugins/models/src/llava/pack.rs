//! In which order the features of a picture's tiles are handed to the language model (`pack_image_features`, and
//! `prepare_inputs_labels_for_multimodal` of the original code).

use serde::Deserialize;

use super::grid::{Extent, Pinpoints};
use super::image::Aspect;

/// `mm_patch_merge_type`: what becomes of the features of several tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// Tile after tile.
    Flat,
    /// The whole picture, then the grid line by line across its tiles.
    Spatial,
    /// As `Spatial`, without what is padding, and an `image_newline` at the end of each line.
    SpatialUnpad,
}

/// Where a feature of the sequence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A token of a tile.
    Token {
        /// Number of the tile.
        tile: u32,
        /// Number of the token in it.
        token: u32,
    },
    /// The embedding of a new line.
    Newline,
}

/// The sizes that an order follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patches {
    /// Patches along a tile's side.
    pub side: u32,
    /// Tokens before the patches that are kept: 1 where the class token is, else 0.
    pub leading: u32,
}

/// The order of the features of a picture of `size`: as many places as the picture takes positions in the prompt.
pub fn order(aspect: &Aspect, merge: Merge, patches: Patches, size: Extent) -> Vec<Place> {
    let tokens = patches.side * patches.side + patches.leading;
    let whole = |tile: u32| (0..tokens).map(move |token| Place::Token { tile, token });
    let Aspect::Anyres(pinpoints) = aspect else { return whole(0).collect() };
    let grid = pinpoints.grid(size);
    match merge {
        Merge::Flat => (0..=grid.height * grid.width).flat_map(whole).collect(),
        Merge::Spatial => whole(0).chain(lines(pinpoints, patches, size, false)).collect(),
        Merge::SpatialUnpad => whole(0).chain(lines(pinpoints, patches, size, true)).collect(),
    }
}

/// The grid's map of patches, line by line.
fn lines(pinpoints: &Pinpoints, patches: Patches, size: Extent, unpad: bool) -> Vec<Place> {
    let (grid, side) = (pinpoints.grid(size), patches.side);
    let map = Extent { height: grid.height * side, width: grid.width * side };
    let (rows, columns) = if unpad { pinpoints.covered(size, map) } else { (0..map.height, 0..map.width) };
    let place = |row: u32, column: u32| Place::Token {
        // Tile 0 is the whole picture.
        tile: 1 + row / side * grid.width + column / side,
        token: patches.leading + row % side * side + column % side,
    };
    let line = |row: u32| {
        let end = unpad.then_some(Place::Newline);
        columns.clone().map(move |column| place(row, column)).chain(end)
    };
    rows.flat_map(line).collect()
}
