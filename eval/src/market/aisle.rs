//! Which scenes match which products: an ideal scene for each aisle of the shop.

use super::scene::AXES;

/// A part of the shop, and the scene that suits its products.
#[derive(Debug, PartialEq)]
pub(super) struct Aisle {
    /// Words of a category or a title, in singular, that speak for it.
    words: &'static [&'static str],
    /// The ideal scene in usual spreads: light, warm, vivid, green, busy.
    pub ideal: [f64; AXES],
}

/// The aisles. What suits what is a designer's choice, fitted to no clicks; the last one is for everything else.
#[rustfmt::skip]
static AISLES: [Aisle; 15] = [
    Aisle { words: &["bag", "luggage", "backpack"],               ideal: [ 1.0,  0.0, -1.0,  0.0, -1.0] },
    Aisle { words: &["shoe", "fashion", "clothing", "jewelry"],   ideal: [ 0.0, -1.0,  1.0, -1.0,  0.0] },
    Aisle { words: &["seating", "sofa", "chair"],                 ideal: [ 1.0,  1.0, -1.0,  0.0,  0.0] },
    Aisle { words: &["table", "storage", "furniture"],            ideal: [ 0.0,  1.0, -1.0,  0.0,  1.0] },
    Aisle { words: &["lighting", "lamp"],                         ideal: [-1.0,  1.0,  0.0,  0.0,  0.0] },
    Aisle { words: &["kitchen", "dining", "cookware"],            ideal: [ 1.0,  0.0, -1.0,  0.0,  0.0] },
    Aisle { words: &["food", "cake", "bakery"],                   ideal: [ 0.0,  1.0,  1.0,  1.0,  0.0] },
    Aisle { words: &["electronic", "audio", "computer", "phone"], ideal: [-1.0, -1.0,  0.0, -1.0, -1.0] },
    Aisle { words: &["decor", "vase", "gift"],                    ideal: [ 1.0,  1.0,  0.0,  0.0,  1.0] },
    Aisle { words: &["plant", "flower"],                          ideal: [ 1.0,  0.0,  0.0,  1.0,  0.0] },
    Aisle { words: &["toy", "game", "baby"],                      ideal: [ 1.0,  0.0,  1.0,  1.0,  0.0] },
    Aisle { words: &["sport", "outdoor", "camping"],              ideal: [ 0.0, -1.0,  0.0,  1.0,  1.0] },
    Aisle { words: &["beauty", "bath", "makeup"],                 ideal: [ 1.0, -1.0,  0.0,  0.0, -1.0] },
    Aisle { words: &["tool", "garden", "hardware"],               ideal: [-1.0, -1.0, -1.0,  0.0,  1.0] },
    Aisle { words: &[],                                           ideal: [ 0.0,  0.0,  0.0,  0.0,  0.0] },
];

/// The aisle of a product: that of its widest category that names one, or of its title.
pub(super) fn of(category: &[String], title: &str) -> &'static Aisle {
    let texts = category.iter().map(String::as_str).chain([title]);
    texts.filter_map(named).next().unwrap_or(&AISLES[AISLES.len() - 1])
}

/// The aisle whose word comes first in a text.
fn named(text: &str) -> Option<&'static Aisle> {
    let lower = text.to_lowercase();
    let words =
        lower.split(|c: char| !c.is_alphanumeric()).map(|word| word.strip_suffix('s').unwrap_or(word));
    words.filter_map(|word| AISLES.iter().find(|aisle| aisle.words.contains(&word))).next()
}

impl Aisle {
    /// exp(-d/2), where d is the mean squared distance of a scene's axes from the ideal, in usual spreads: in (0, 1].
    pub fn matches(&self, axes: &[f64]) -> f64 {
        let squares = self.ideal.iter().zip(axes).map(|(ideal, axis)| (axis - ideal).powi(2));
        (-squares.sum::<f64>() / AXES as f64 / 2.0).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_category_that_names_an_aisle_decides() {
        let path = |parts: &[&str]| parts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let cake = of(&path(&["Food & Cakes", "Cakes"]), "A table for two");
        assert_eq!(cake.ideal, [0.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(of(&path(&["New", "Lamps"]), "").ideal, [-1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(of(&[], "Oak Table").ideal, [0.0, 1.0, -1.0, 0.0, 1.0]);
        assert_eq!(of(&[], "Something").ideal, [0.0; AXES]);
    }

    #[test]
    fn the_ideal_scene_matches_wholly_and_others_less_the_farther_they_are() {
        let aisle = of(&[], "lamp");
        assert_eq!(aisle.matches(&aisle.ideal), 1.0);
        let (near, far) = (aisle.matches(&[0.0; AXES]), aisle.matches(&[2.0, -1.0, 1.0, 1.0, 0.0]));
        assert!((near - (-0.2_f64).exp()).abs() < 1e-12, "{near}");
        assert!(far < near && far > 0.0, "{far}");
    }
}
