//! Families of products: which words give one away, and where such a product is used.

/// A family of products.
pub(crate) struct Family {
    /// Words of a category path or a title, in singular, that speak for the family.
    pub words: &'static [&'static str],
    pub surfaces: &'static [&'static str],
    pub backdrops: &'static [&'static str],
    pub props: &'static [&'static str],
}

/// How much a word of the category path counts, against one of the title.
const CATEGORY_WEIGHT: usize = 3;

/// The family that most words speak for; the last one, which fits anything, when none does.
pub(crate) fn of(category: &[String], title: &str) -> &'static Family {
    let category: Vec<String> = category.iter().flat_map(|part| words(part)).collect();
    let title = words(title);
    let mut best = (0, &FAMILIES[FAMILIES.len() - 1]);
    for family in FAMILIES {
        let hits = |text: &[String]| text.iter().filter(|w| family.words.contains(&w.as_str())).count();
        let score = CATEGORY_WEIGHT * hits(&category) + hits(&title);
        if score > best.0 {
            best = (score, family);
        }
    }
    best.1
}

/// Words in lower case and singular.
pub(crate) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(singular).collect()
}

fn singular(word: &str) -> String {
    for (ending, with) in [("ies", "y"), ("shes", "sh"), ("ches", "ch"), ("sses", "ss")] {
        if let Some(stem) = word.strip_suffix(ending) {
            return format!("{stem}{with}");
        }
    }
    word.strip_suffix('s').filter(|s| s.len() > 2 && !s.ends_with(['s', 'u'])).unwrap_or(word).to_owned()
}

/// All families; the last one is for everything else.
// One phrase a line would make the table four screens long.
#[rustfmt::skip]
pub(crate) static FAMILIES: &[Family] = &[
    Family {
        words: &[
            "bag", "luggage", "handbag", "backpack", "rucksack", "briefcase", "suitcase", "tote", "purse",
            "wallet",
        ],
        surfaces: &[
            "light oak wood", "smooth concrete", "polished marble", "a warm stone step", "tan leather",
        ],
        backdrops: &[
            "a bright boutique shop", "a city street", "a sunny piazza", "a cozy room with a {c} wall",
            "a modern lobby",
        ],
        props: &["a stack of books", "a leafy plant behind", "smooth boxes", "an uncluttered setting"],
    },
    Family {
        words: &[
            "shoe", "fashion", "sneaker", "boot", "pump", "slipper", "loafer", "hat", "cap", "eyewear",
            "sunglass", "glass", "watch", "jewelry", "ring", "necklace", "clothing", "dress", "umbrella",
            "helmet", "shirt", "scarf",
        ],
        surfaces: &["smooth concrete", "{c} terrazzo", "pale stone", "light oak wood", "soft linen"],
        backdrops: &[
            "an urban brick wall", "a city street", "a {c} plaster wall", "a bright boutique shop",
            "a park lawn in the sun",
        ],
        props: &["stacked blocks", "dried leaves", "a low podium", "an uncluttered setting"],
    },
    Family {
        words: &[
            "seating", "sofa", "loveseat", "armchair", "chair", "pouf", "stool", "recliner", "bench", "couch",
            "ottoman",
        ],
        surfaces: &["oak parquet floor", "a soft wool rug", "light hardwood floor", "pale concrete floor"],
        backdrops: &[
            "a scandinavian living room with a {c} wall", "a {c} painted wall",
            "a loft interior with a white brick wall", "a cozy living room", "a room with a wooden slat wall",
        ],
        props: &[
            "a potted plant", "a pile of books", "a leafy houseplant and a rug", "an uncluttered setting",
        ],
    },
    Family {
        words: &[
            "table", "storage", "desk", "nightstand", "dresser", "crate", "furniture", "shelf", "cabinet",
            "bedroom", "dining",
        ],
        surfaces: &["oak parquet floor", "light hardwood floor", "a soft wool rug", "pale concrete floor"],
        backdrops: &[
            "a bright dining room interior", "a {c} painted wall", "a calm bedroom",
            "a home office with a {c} wall", "a room with a wooden slat wall",
        ],
        props: &["a potted plant", "a pile of books", "candles", "an uncluttered setting"],
    },
    Family {
        words: &[
            "lighting", "lamp", "light", "lantern", "pendant", "flashlight", "candlestick", "bulb",
            "chandelier",
        ],
        surfaces: &["dark walnut wood", "light oak wood", "a slate table", "soft linen"],
        backdrops: &[
            "a cozy bedroom in the evening", "a {c} plaster wall", "a dim living room", "a wooden slat wall",
            "a terrace at dusk",
        ],
        props: &["a pile of books", "a small potted plant", "candles", "an uncluttered setting"],
    },
    Family {
        words: &[
            "kitchen", "cookware", "appliance", "toaster", "coffee", "tea", "kettle", "teapot", "mixer",
            "blender", "juicer", "cutlery", "knife", "tableware", "cup", "mug", "pot", "pan", "stockpot",
            "cutting", "spice",
        ],
        surfaces: &[
            "a marble countertop", "a light oak wood counter", "brushed steel", "a rustic wooden table",
            "a linen tablecloth",
        ],
        backdrops: &[
            "a bright kitchen", "a white tiled wall", "a {c} tiled wall", "a cozy cafe",
            "a farmhouse kitchen",
        ],
        props: &[
            "fresh lemons and citrus fruit", "eucalyptus leaves", "a potted herb plant",
            "an uncluttered setting",
        ],
    },
    Family {
        words: &[
            "food", "cake", "cupcake", "meal", "burger", "bakery", "bread", "salad", "roast", "steak",
            "fruit", "dog", "doughnut", "fresh", "snack", "chocolate", "drink", "pizza",
        ],
        surfaces: &[
            "a rustic wooden table", "a linen tablecloth", "a slate board", "a marble countertop",
            "a walnut wood table",
        ],
        backdrops: &[
            "a cozy cafe", "a bright kitchen", "a restaurant in the evening", "a picnic on a park lawn",
            "a {c} wall",
        ],
        props: &["fresh fruit", "mint leaves", "candles", "colorful confetti", "an uncluttered setting"],
    },
    Family {
        words: &[
            "electronic", "audio", "headphone", "radio", "speaker", "computer", "laptop", "tablet", "video",
            "projector", "phone", "keyboard", "remote", "fan", "guitar", "camera", "gaming", "console",
        ],
        surfaces: &[
            "brushed metal", "glossy {c} acrylic", "a dark walnut wood desk", "smooth concrete",
            "a white desk",
        ],
        backdrops: &[
            "a neon gradient background", "a home office with a {c} wall", "a {c} gradient background",
            "a futuristic tech backdrop", "a modern loft with a concrete wall",
        ],
        props: &["smooth cubes", "a low platform", "a small plant", "an uncluttered setting"],
    },
    Family {
        words: &[
            "decor", "vase", "jar", "pitcher", "clock", "figurine", "aquarium", "statue", "mirror", "frame",
            "gift", "christmas", "candle",
        ],
        surfaces: &["pale stone", "light oak wood", "soft linen", "polished marble", "white terrazzo"],
        backdrops: &[
            "a {c} plaster wall with an arched niche", "a cozy living room", "a {c} painted wall",
            "a wooden slat wall", "a bright bedroom",
        ],
        props: &["dried leaves", "candles", "smooth pebbles", "a pile of books", "an uncluttered setting"],
    },
    Family {
        words: &[
            "plant", "flower", "houseplant", "bouquet", "orchid", "bonsai", "succulent", "cactus", "cacti",
            "bamboo", "foliage", "rose", "tulip",
        ],
        surfaces: &[
            "a light oak wood table", "pale stone", "terracotta clay", "a white wooden shelf",
            "smooth concrete",
        ],
        backdrops: &[
            "a bright room with a {c} wall", "a sunny garden", "a {c} plaster wall", "a white brick wall",
            "a greenhouse garden",
        ],
        props: &["smooth pebbles", "scattered petals", "a linen cloth", "an uncluttered setting"],
    },
    Family {
        words: &[
            "toy", "game", "plush", "teddy", "bear", "train", "airplane", "car", "chess", "xylophone", "doll",
            "dollhouse", "tricycle", "horse", "kid", "ride", "puzzle", "baby",
        ],
        surfaces: &[
            "a soft wool rug", "light oak wood", "{c} paper", "a painted wooden table", "green grass",
        ],
        backdrops: &[
            "a playful kids room with a {c} wall", "a vivid {c} background", "a colorful painted wall",
            "a sky with clouds", "a park lawn in the sun",
        ],
        props: &["colorful blocks", "colorful spheres", "confetti", "an uncluttered setting"],
    },
    Family {
        words: &[
            "sport", "outdoor", "basketball", "soccer", "tennis", "racket", "ball", "skateboard", "bicycle",
            "bike", "boxing", "dart", "tent", "camping", "fitness", "sleeping", "gym", "hiking", "trail",
            "yoga",
        ],
        surfaces: &["green grass", "rough concrete", "a rock ledge", "sand", "hardwood floor"],
        backdrops: &[
            "a mountain landscape", "a forest trail", "a park lawn in the sun", "an urban concrete wall",
            "a beach by the sea",
        ],
        props: &["smooth stones", "fallen leaves", "a low platform", "an uncluttered setting"],
    },
    Family {
        words: &[
            "beauty", "bath", "makeup", "lipstick", "fragrance", "perfume", "skin", "cream", "soap", "hair",
            "brush", "comb", "towel", "lotion", "sun", "serum", "shampoo", "cosmetic",
        ],
        surfaces: &[
            "polished marble", "{c} satin", "rippled water", "white terrazzo", "wet stone", "rose marble",
        ],
        backdrops: &[
            "a {c} wall with an arched niche", "a spa bathroom with tiles", "a {c} gradient background",
            "a {c} silk curtain backdrop", "a pastel {c} backdrop",
        ],
        props: &[
            "scattered petals", "eucalyptus leaves", "smooth pebbles", "a round podium",
            "an uncluttered setting",
        ],
    },
    Family {
        words: &[
            "tool", "garden", "hammer", "screwdriver", "drill", "grinder", "saw", "measuring", "cutter",
            "lawn", "mower", "ladder", "sprayer", "hose", "tape", "bin", "hardware", "wrench",
        ],
        surfaces: &["a wooden workbench", "rough concrete", "brushed steel", "green grass", "dark metal"],
        backdrops: &[
            "a workshop", "an industrial loft", "a sunny garden", "a brick wall", "a {c} painted wall",
        ],
        props: &["wooden blocks", "metal cylinders", "fallen leaves", "an uncluttered setting"],
    },
    Family {
        words: &[],
        surfaces: &["light oak wood", "polished marble", "smooth concrete", "soft linen", "pale stone"],
        backdrops: &[
            "a {c} plaster wall", "a {c} seamless backdrop", "a bright room interior",
            "a {c} gradient background", "a park lawn in the sun",
        ],
        props: &["a round podium", "a small plant", "smooth pebbles", "an uncluttered setting"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn first_word(category: &[&str], title: &str) -> Option<&'static str> {
        let path: Vec<String> = category.iter().map(ToString::to_string).collect();
        of(&path, title).words.first().copied()
    }

    #[test]
    fn categories_find_their_family() {
        for (path, wanted) in [
            (vec!["Bags & Luggage", "Handbags", "Shoulder Bags"], "bag"),
            (vec!["Shoes & Fashion", "Eyewear", "Sunglasses"], "shoe"),
            (vec!["Seating", "Sofas", "Loveseats"], "seating"),
            (vec!["Tables & Storage", "Coffee Tables", "Glass"], "table"),
            (vec!["Lighting", "Table Lamps", "Bedside Lamps"], "lighting"),
            (vec!["Kitchen & Dining", "Coffee & Tea", "French Presses"], "kitchen"),
            (vec!["Food & Cakes", "Cakes", "Birthday Cakes"], "food"),
            (vec!["Electronics", "Music", "Keyboards"], "electronic"),
            (vec!["Home Decor", "Clocks", "Wall Clocks"], "decor"),
            (vec!["Plants & Flowers", "Houseplants", "Cacti"], "plant"),
            (vec!["Toys & Games", "Vehicles", "Trains"], "toy"),
            (vec!["Sports & Outdoor", "Ball Sports", "Basketballs"], "sport"),
            (vec!["Beauty & Bath", "Makeup", "Mirrors"], "beauty"),
            (vec!["Tools & Garden", "Garden", "Lawn Mowers"], "tool"),
        ] {
            assert_eq!(first_word(&path, ""), Some(wanted), "{path:?}");
        }
    }

    #[test]
    fn a_title_alone_will_do_and_nothing_falls_back() {
        assert_eq!(first_word(&[], "Retro Two-Slot Toaster in Sunny Yellow"), Some("kitchen"));
        assert_eq!(first_word(&["???"], "\u{1f9ff}"), None);
    }
}
