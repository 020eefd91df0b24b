//! How well a prompt speaks for a picture.

/// The words of a prompt, in lower case, reduced to stems and known synonyms.
#[derive(Debug, Clone)]
pub struct Words(Vec<String>);

/// Words that mean one of the words in the index. Left: what people write; right: what the index says.
const SYNONYMS: [(&str, &str); 64] = [
    ("alp", "mountain"),
    ("asphalt", "road"),
    ("autumnal", "autumn"),
    ("backcountry", "mountain"),
    ("barn", "farm"),
    ("bathtub", "bathroom"),
    ("bedside", "bedroom"),
    ("boutique", "store"),
    ("brook", "stream"),
    ("bush", "forest"),
    ("butcher", "wood"),
    ("cafeteria", "cafe"),
    ("carrara", "marble"),
    ("chopping", "wood"),
    ("christma", "christmas"),
    ("cliff", "rock"),
    ("coffeehouse", "cafe"),
    ("cosy", "cozy"),
    ("court", "sport"),
    ("cozily", "cozy"),
    ("cyberpunk", "neon"),
    ("darkness", "dark"),
    ("denim", "fabric"),
    ("dim", "dark"),
    ("downtown", "city"),
    ("drapery", "curtain"),
    ("fall", "autumn"),
    ("festival", "party"),
    ("fir", "pine"),
    ("glamour", "glamorous"),
    ("grassland", "meadow"),
    ("grassy", "grass"),
    ("greenery", "green"),
    ("hillside", "hill"),
    ("holographic", "neon"),
    ("house", "home"),
    ("industry", "industrial"),
    ("jetty", "pier"),
    ("leafy", "leaf"),
    ("leave", "leaf"),
    ("luxurious", "luxury"),
    ("metallic", "metal"),
    ("metropolis", "city"),
    ("minimalist", "minimal"),
    ("minimalistic", "minimal"),
    ("nighttime", "night"),
    ("oceanside", "ocean"),
    ("patio", "terrace"),
    ("pebble", "stone"),
    ("rustically", "rustic"),
    ("seaside", "sea"),
    ("shelve", "shelf"),
    ("shore", "coast"),
    ("shoreline", "coast"),
    ("snowy", "snow"),
    ("sofa", "living"),
    ("sunlight", "sunny"),
    ("sunlit", "sunny"),
    ("timber", "wood"),
    ("tropic", "tropical"),
    ("wildflower", "flower"),
    ("wooden", "wood"),
    ("woodland", "forest"),
    ("woolen", "wool"),
];

impl Words {
    /// Splits a prompt at everything that is not a letter.
    pub fn of(prompt: &str) -> Self {
        let lower = prompt.to_lowercase();
        let words = lower.split(|c: char| !c.is_alphabetic()).filter(|w| w.len() > 1);
        Self(words.map(canonical).collect())
    }

    /// Whether a word is there.
    pub fn has(&self, word: &str) -> bool {
        let word = canonical(word);
        self.0.contains(&word)
    }

    /// Whether one of the words is there.
    pub fn has_any(&self, words: &[&str]) -> bool {
        words.iter().any(|w| self.has(w))
    }

    /// Three points for each name, one for each word that goes with it, that the prompt holds. A word counts once.
    pub fn score(&self, names: &[&str], words: &[&str]) -> i32 {
        let mut seen = Vec::new();
        let mut points = 0;
        let weighed = names.iter().map(|name| (name, 3)).chain(words.iter().map(|word| (word, 1)));
        for (word, weight) in weighed {
            let word = canonical(word);
            if self.0.contains(&word) && !seen.contains(&word) {
                points += weight;
                seen.push(word);
            }
        }
        points
    }

    /// The words that stand right before `wall`, `backdrop` or `background` (three at most), which say what is behind.
    pub fn of_the_wall(&self) -> Self {
        let mut out = Vec::new();
        for (i, word) in self.0.iter().enumerate() {
            if matches!(word.as_str(), "wall" | "backdrop" | "background") {
                out.extend_from_slice(&self.0[i.saturating_sub(3)..i]);
            }
        }
        Self(out)
    }

    /// The words without those of [`Words::of_the_wall`], which say what the product stands on.
    pub fn of_the_ground(&self) -> Self {
        let mut keep = vec![true; self.0.len()];
        for (i, word) in self.0.iter().enumerate() {
            if matches!(word.as_str(), "wall" | "backdrop" | "background") {
                keep[i.saturating_sub(3)..=i].fill(false);
            }
        }
        Self(self.0.iter().zip(keep).filter(|(_, keep)| *keep).map(|(w, _)| w.clone()).collect())
    }
}

fn canonical(word: &str) -> String {
    let word = stem(word);
    match SYNONYMS.binary_search_by(|(from, _)| (*from).cmp(word.as_str())) {
        Ok(i) => SYNONYMS[i].1.to_owned(),
        Err(_) => word,
    }
}

/// Takes off plurals.
fn stem(word: &str) -> String {
    let cut = |ending: &str, with: &str| {
        word.strip_suffix(ending).filter(|rest| rest.chars().count() > 1).map(|rest| format!("{rest}{with}"))
    };
    if word.ends_with("ss") || word.ends_with("us") {
        return word.to_owned();
    }
    cut("ies", "y")
        .or_else(|| cut("shes", "sh"))
        .or_else(|| cut("ches", "ch"))
        .or_else(|| cut("xes", "x"))
        .or_else(|| cut("s", ""))
        .unwrap_or_else(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_synonyms_are_sorted_for_the_search() {
        assert!(SYNONYMS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn plurals_and_synonyms_count() {
        let words = Words::of("Snowy MOUNTAINS, wooden boxes; a cosy seaside.");
        for word in ["snow", "mountain", "wood", "box", "cozy", "sea"] {
            assert!(words.has(word), "{word} in {words:?}");
        }
        assert!(!words.has("marble"));
        assert!(Words::of("glass").has("glass"));
    }

    #[test]
    fn names_weigh_more_than_company() {
        let words = Words::of("a marble counter");
        assert!(words.score(&["marble"], &[]) > words.score(&["wood"], &["counter", "kitchen"]));
        assert_eq!(Words::of("wood, wooden, timber").score(&["wood", "wooden"], &["timber"]), 3);
    }

    #[test]
    fn the_wall_has_words_of_its_own() {
        let words = Words::of("on a wooden table before a white brick wall");
        assert!(words.of_the_wall().has("brick") && !words.of_the_wall().has("wood"));
        assert!(words.of_the_ground().has("wood") && !words.of_the_ground().has("brick"));
    }
}
