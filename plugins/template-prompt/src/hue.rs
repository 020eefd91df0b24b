//! Colours that go well behind a product of a given colour.

use crate::family::words;
use adeval_sdk::Product;

/// A colour of products and its companions: a quiet neighbour, a contrast, neutrals.
struct Companions {
    names: &'static [&'static str],
    with: &'static [&'static str],
}

/// The companions of the product's colour: its attribute `color` (or `colour`), else a colour word of its title.
pub(crate) fn companions(product: &Product) -> &'static [&'static str] {
    let attribute = product.attributes.get("color").or_else(|| product.attributes.get("colour"));
    let named = attribute.map(|text| words(text)).and_then(|words| find(&words));
    named.or_else(|| find(&words(&product.title))).unwrap_or(NEUTRAL)
}

fn find(words: &[String]) -> Option<&'static [&'static str]> {
    words.iter().find_map(|word| TABLE.iter().find(|c| c.names.contains(&word.as_str())).map(|c| c.with))
}

/// For products of unknown or many colours.
pub(crate) static NEUTRAL: &[&str] = &["cream", "beige", "sage green", "sky blue", "charcoal"];

static TABLE: &[Companions] = &[
    Companions {
        names: &["white", "ivory", "cream"],
        with: &["sage green", "terracotta", "sky blue", "tan", "navy blue"],
    },
    Companions {
        names: &["beige", "natural", "nude", "tan"],
        with: &["sage green", "cream", "teal", "terracotta", "brown"],
    },
    Companions {
        names: &["brown", "cognac", "walnut", "chocolate", "oak", "bronze", "copper"],
        with: &["cream", "sage green", "teal", "beige", "mustard yellow"],
    },
    Companions {
        names: &["black", "charcoal", "graphite"],
        with: &["cream", "coral", "sky blue", "mustard yellow", "lavender"],
    },
    Companions {
        names: &["silver", "gray", "grey", "chrome", "steel"],
        with: &["navy blue", "teal", "blush pink", "charcoal", "lavender"],
    },
    Companions {
        names: &["red", "burgundy", "crimson"],
        with: &["cream", "blush pink", "teal", "charcoal", "beige"],
    },
    Companions {
        names: &["pink", "rose", "coral"],
        with: &["cream", "mint green", "lavender", "sky blue", "beige"],
    },
    Companions {
        names: &["orange", "terracotta", "amber"],
        with: &["teal", "cream", "navy blue", "peach", "sky blue"],
    },
    Companions {
        names: &["yellow", "gold", "golden", "mustard", "brass"],
        with: &["navy blue", "lavender", "cream", "emerald green", "charcoal"],
    },
    Companions {
        names: &["green", "olive", "sage", "emerald"],
        with: &["cream", "blush pink", "terracotta", "beige", "peach"],
    },
    Companions {
        names: &["teal", "turquoise", "mint"],
        with: &["coral", "cream", "peach", "navy blue", "mustard yellow"],
    },
    Companions {
        names: &["blue", "navy", "indigo"],
        with: &["peach", "cream", "mustard yellow", "sky blue", "coral"],
    },
    Companions {
        names: &["purple", "violet", "lavender", "lilac"],
        with: &["mustard yellow", "cream", "lilac", "sage green", "blush pink"],
    },
];

/// Every colour phrase, once.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    NEUTRAL.iter().chain(TABLE.iter().flat_map(|c| c.with)).copied()
}
