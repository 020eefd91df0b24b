//! What a word of a prompt can mean.

use crate::gobo::GoboKind;
use crate::scene::{BackdropKind as B, SurfaceKind as S};
use adeval_compositing::color::Lch;

/// A prop that a prompt can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropKind {
    /// A round podium under the product.
    Podium,
    /// Blocks in steps beside the product.
    Steps,
    /// Spheres.
    Spheres,
    /// Boxes.
    Boxes,
    /// Upright cylinders.
    Columns,
    /// Smooth stones.
    Pebbles,
    /// Green leaves on the ground.
    Leaves,
    /// Petals on the ground.
    Petals,
    /// A potted plant.
    Plant,
    /// Blurred foliage before the lens.
    Foliage,
    /// Candles.
    Candles,
    /// Wrapped gifts.
    Gifts,
    /// Round fruit.
    Fruit,
    /// Pumpkins.
    Pumpkins,
    /// Confetti on the ground.
    Confetti,
    /// Falling snow.
    Snowfall,
    /// Books in a pile.
    Books,
}

/// The character of the light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Large and diffuse.
    Soft,
    /// Direct sun.
    Hard,
    /// Low warm sun.
    Golden,
    /// Clean softboxes.
    Studio,
    /// Dark, with a single lamp.
    Moody,
    /// Coloured tubes.
    Neon,
    /// Warm flames.
    Candle,
    /// Cool and even.
    Cool,
}

/// A season.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Season {
    /// Blossoms.
    Spring,
    /// Sun and green.
    Summer,
    /// Orange leaves.
    Autumn,
    /// Snow.
    Winter,
    /// Winter with red, green and gold.
    Christmas,
}

/// How colours are chosen when they are not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaletteStyle {
    /// Light and little saturated.
    Pastel,
    /// Browns, ochres, olives.
    Earthy,
    /// Shades of the product's own hue.
    Monochrome,
    /// The hue across the wheel from the product's.
    Complementary,
    /// Strong colours.
    Vivid,
    /// White and pale grey.
    White,
    /// Near black.
    Dark,
    /// Greys and beiges.
    Neutral,
    /// Black or deep colours with gold.
    Luxury,
}

/// What a word means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Meaning {
    /// A surface.
    Surface(S),
    /// A backdrop.
    Backdrop(B),
    /// The light.
    Mood(Mood),
    /// The light's azimuth in degrees.
    From(f32),
    /// A season.
    Season(Season),
    /// A colour.
    Color(Lch),
    /// A palette.
    Palette(PaletteStyle),
    /// A prop.
    Prop(PropKind),
    /// A gobo.
    Gobo(GoboKind),
    /// The aperture, 0 to 1.
    Aperture(f32),
    /// "Background", "wall" and the like: the colour before it belongs there.
    Behind,
    /// "Surface", "table" and the like: the colour before it belongs there.
    Below,
    /// No props at all.
    Bare,
}

pub use crate::vocabulary::LEXICON;
