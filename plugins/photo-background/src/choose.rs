//! From the words of a prompt to the pictures of a scene.

use crate::assets::{Asset, Backdrop, Surface, backdrops, surfaces};
use crate::words::Words;
use adeval_sdk::rng;

/// What a scene is made of.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// What is behind the product.
    pub behind: Behind,
    /// What it stands on; the photograph's own ground when absent.
    pub surface: Option<(&'static Asset, Surface)>,
    /// How the ground ends.
    pub ground: Ground,
}

/// What is behind the product.
#[derive(Debug, Clone, Copy)]
pub enum Behind {
    /// A place, out of focus.
    Photograph(&'static Asset, Backdrop),
    /// A texture on a wall close behind the product.
    Wall(&'static Asset, Surface),
}

/// How the ground ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The photograph shows ground; nothing is drawn over it.
    Natural,
    /// A table whose far edge is in the picture.
    Table,
    /// A floor that goes over into the photograph's own, or a sweep that goes over into the wall.
    Blend,
    /// A floor that meets a wall.
    Floor,
}

/// A number in 0..1 that depends on the seed and on what it is for, and on nothing else.
pub(crate) fn draw(seed: u64, what: &str) -> f32 {
    (rng::derive(seed, &["photo-background", what]) >> 40) as f32 / (1u32 << 24) as f32
}

/// Words of ground rather than furniture: they ask for a floor even under a small product.
const GROUND_WORDS: [&str; 16] = [
    "lawn", "grass", "meadow", "sand", "earth", "soil", "floor", "ground", "street", "pavement", "parquet",
    "trail", "path", "dirt", "field", "dune",
];

/// Words of places that a person arranges for a photograph.
const STUDIO_WORDS: [&str; 10] = [
    "studio",
    "minimal",
    "plain",
    "seamless",
    "backdrop",
    "background",
    "wall",
    "podium",
    "pedestal",
    "clean",
];

/// The pictures for a prompt. `large` products (furniture) stand on floors. Ties are broken by the seed.
/// `None` only if the library was built without pictures.
pub fn choose(prompt: &str, negative: &str, large: bool, seed: u64) -> Option<Scene> {
    let (words, unwanted) = (Words::of(prompt), Words::of(negative));
    let (for_wall, for_ground) = (words.of_the_wall(), words.of_the_ground());
    let score = |asset: &Asset, words: &Words| {
        words.score(asset.names, asset.words) - 2 * unwanted.score(asset.names, asset.words)
    };
    let (behind_score, backdrop) =
        best(backdrops().map(|(a, b)| (score(a, &words), (a, b))), seed, "backdrop")?;
    let (ground_score, surface) =
        best(surfaces().map(|(a, s)| (score(a, &for_ground), (a, s))), seed, "surface")?;
    let walls = || surfaces().filter(|(_, s)| s.wall);
    let (wall_score, wall) = best(walls().map(|(a, s)| (score(a, &for_wall), (a, s))), seed, "wall")?;

    let named = (ground_score > 0 && for_ground.score(surface.0.names, &[]) > 0).then_some(surface);
    let liked = (ground_score > 0).then_some(surface);
    if wall_score > 0 && for_wall.score(wall.0.names, &[]) > 0 {
        return before_wall(wall, liked, large, seed);
    }
    let arranged = words.has_any(&STUDIO_WORDS) && behind_score < 6;
    if behind_score <= 0 || (arranged && draw(seed, "wall or place") < 0.5) {
        let fits = |a: &Asset| a.places.contains(&"studio");
        let plain = walls().filter(|(a, _)| fits(a)).map(|(a, s)| (score(a, &words), (a, s)));
        return before_wall(best(plain, seed, "plain wall")?.1, liked, large, seed);
    }
    before_place(backdrop, &words, named, large, seed)
}

/// A scene in front of a photograph.
fn before_place(
    (asset, place): (&'static Asset, Backdrop),
    words: &Words,
    named: Option<(&'static Asset, Surface)>,
    large: bool,
    seed: u64,
) -> Option<Scene> {
    let behind = Behind::Photograph(asset, place);
    let of_floor = |a: &Asset| place.floor.contains(&a.id);
    let shown = |a: &Asset| a.names.iter().any(|n| asset.names.contains(n) || asset.words.contains(n));
    if place.ground.is_some() && (large || named.is_none_or(|(a, _)| shown(a))) {
        return Some(Scene { behind, surface: None, ground: Ground::Natural });
    }
    let on_ground = large || words.has_any(&GROUND_WORDS);
    if on_ground && !place.floor.is_empty() {
        let wanted = named.filter(|(a, _)| of_floor(a));
        let own = || {
            let floors =
                surfaces().filter(|(a, _)| of_floor(a)).map(|(a, s)| (words.score(a.names, a.words), (a, s)));
            best(floors, seed, "floor").map(|(_, floor)| floor)
        };
        if let Some(surface) = wanted.or_else(own) {
            return Some(Scene { behind, surface: Some(surface), ground: Ground::Blend });
        }
    }
    let surface = named.or_else(|| {
        let fitting = surfaces().filter(|(a, _)| a.places.iter().any(|p| asset.places.contains(p)));
        let tables = fitting.filter(|(a, _)| !GROUND_WORDS.iter().any(|g| a.names.contains(g)));
        best(tables.map(|(a, s)| (words.score(a.names, a.words), (a, s))), seed, "table")
            .map(|(_, table)| table)
    })?;
    Some(Scene { behind, surface: Some(surface), ground: Ground::Table })
}

/// A scene in front of a wall.
fn before_wall(
    wall: (&'static Asset, Surface),
    surface: Option<(&'static Asset, Surface)>,
    large: bool,
    seed: u64,
) -> Option<Scene> {
    let behind = Behind::Wall(wall.0, wall.1);
    let sweep = wall.1.gloss < 0.5
        && ["paper-white", "plaster-white", "concrete", "ceramic-white"].contains(&wall.0.id);
    let scene = match surface {
        Some((a, s)) if a.id != wall.0.id => {
            let ground =
                if large || draw(seed, "floor or table") < 0.35 { Ground::Floor } else { Ground::Table };
            Scene { behind, surface: Some((a, s)), ground }
        }
        _ if sweep => Scene { behind, surface: Some(wall), ground: Ground::Blend },
        _ => {
            let companions = surfaces().filter(|(a, _)| a.id != wall.0.id && a.places.contains(&"studio"));
            let (_, partner) = best(companions.map(|(a, s)| (0, (a, s))), seed, "companion")?;
            Scene { behind, surface: Some(partner), ground: Ground::Floor }
        }
    };
    Some(scene)
}

/// The candidate with the most points; the seed picks among equals.
fn best<T>(scored: impl Iterator<Item = (i32, T)>, seed: u64, what: &str) -> Option<(i32, T)> {
    let mut top = Vec::new();
    let mut points = i32::MIN;
    for (score, item) in scored {
        if score > points {
            top.clear();
            points = score;
        }
        if score == points {
            top.push(item);
        }
    }
    let last = top.len().checked_sub(1)?;
    let pick = (draw(seed, what) * top.len() as f32) as usize;
    Some((points, top.swap_remove(pick.min(last))))
}
