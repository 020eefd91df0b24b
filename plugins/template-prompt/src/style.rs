//! Styles: what kind of picture is asked for, and the phrases that belong to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// Paper sweeps, softboxes, geometric props.
    #[default]
    Studio,
    /// The places where people use such a product.
    Lifestyle,
    /// The same places in a season, with its light and props.
    Seasonal,
    /// Marble, velvet, gold, dark backdrops and spotlights.
    Luxury,
    /// One surface, one wall, much empty space.
    Minimal,
}

/// The phrases of a style. Where a list is empty, those of the product's category are used.
pub(crate) struct Phrases {
    pub openings: &'static [&'static str],
    pub surfaces: &'static [&'static str],
    pub backdrops: &'static [&'static str],
    pub lights: &'static [&'static str],
    pub seasons: &'static [&'static str],
    pub props: &'static [&'static str],
    pub depths: &'static [&'static str],
}

impl Style {
    /// All styles.
    pub const ALL: [Self; 5] = [Self::Studio, Self::Lifestyle, Self::Seasonal, Self::Luxury, Self::Minimal];

    pub(crate) fn phrases(self) -> &'static Phrases {
        match self {
            Self::Studio => &STUDIO,
            Self::Lifestyle => &LIFESTYLE,
            Self::Seasonal => &SEASONAL,
            Self::Luxury => &LUXURY,
            Self::Minimal => &MINIMAL,
        }
    }
}

// `{c}` is where the colour goes. A colour right before a surface or a wall is read as that thing's colour.

static STUDIO: Phrases = Phrases {
    openings: &[
        "Professional studio advertising photograph",
        "Catalog studio shot",
        "Crisp studio hero image",
    ],
    surfaces: &["matte white paper", "{c} paper", "glossy {c} acrylic", "white terrazzo", "pale concrete"],
    backdrops: &[
        "a {c} seamless backdrop",
        "a {c} gradient background",
        "a {c} plaster wall with a round disc",
        "a {c} wall with an arched niche",
        "a seamless white studio backdrop",
    ],
    lights: &["softbox light from the left", "softbox light from the right", "soft diffuse studio light"],
    seasons: &[],
    props: &[
        "a round podium",
        "a podium and two spheres",
        "stacked blocks beside it",
        "tall cylinders beside it",
        "an uncluttered setting",
    ],
    depths: &["sharp background", "depth of field"],
};

static LIFESTYLE: Phrases = Phrases {
    openings: &["Lifestyle advertising photograph", "Warm everyday scene", "Inviting lifestyle photograph"],
    surfaces: &[],
    backdrops: &[],
    lights: &[
        "soft natural light from the left",
        "sunny window light from the right",
        "golden hour light from the left",
        "bright morning light",
    ],
    seasons: &[],
    props: &[],
    depths: &["blurred background", "shallow depth of field"],
};

static SEASONAL: Phrases = Phrases {
    openings: &[
        "Seasonal campaign photograph",
        "Festive season advertisement",
        "Seasonal advertising photograph",
    ],
    surfaces: &[],
    backdrops: &[],
    lights: &[
        "golden hour light from the right",
        "soft natural light from the left",
        "sunlight with leaf shadows",
    ],
    seasons: &[
        "spring blossom mood with pink petals",
        "summer mood with palm shadows and citrus fruit",
        "autumn mood with fallen leaves",
        "autumn mood with pumpkins",
        "winter mood with snowfall",
        "christmas mood with gifts and fairy lights",
    ],
    props: &["seasonal decoration around it", "one small seasonal accent"],
    depths: &["blurred background", "shallow depth of field"],
};

static LUXURY: Phrases = Phrases {
    openings: &[
        "Luxury advertising photograph",
        "Elegant premium campaign image",
        "Cinematic premium photograph",
    ],
    surfaces: &[
        "polished white marble",
        "black marble",
        "draped {c} velvet",
        "dark walnut wood",
        "glossy black acrylic",
    ],
    backdrops: &[
        "a dark {c} curtain backdrop",
        "a black seamless studio backdrop",
        "a {c} wall with an arched niche",
        "an evening backdrop of golden bokeh",
        "a charcoal gradient background",
    ],
    lights: &["a dramatic spotlight from the left", "moody light from the right", "warm glow of candlelight"],
    seasons: &[],
    props: &[
        "a black podium with gold trim",
        "golden spheres",
        "candles beside it",
        "silk folds",
        "an uncluttered setting",
    ],
    depths: &["blurred background", "depth of field"],
};

static MINIMAL: Phrases = Phrases {
    openings: &["Minimalist product photograph", "Calm minimal still life", "Uncluttered minimal photograph"],
    surfaces: &["smooth concrete", "matte white paper", "{c} linen", "pale stone", "light oak wood"],
    backdrops: &[
        "a plain {c} wall",
        "a {c} seamless backdrop",
        "a white plaster wall",
        "a {c} gradient background",
        "a pale concrete wall",
    ],
    lights: &["soft daylight from the left", "window light with soft shadows", "gentle overcast light"],
    seasons: &[],
    props: &["an uncluttered setting", "empty space around it", "one smooth pebble"],
    depths: &["sharp background", "blurred background"],
};
