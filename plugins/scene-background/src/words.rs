//! Reads what a prompt asks for.

use crate::gobo::GoboKind;
use crate::lexicon::{LEXICON, Meaning, Mood, PaletteStyle, PropKind, Season};
use crate::scene::{BackdropKind, SurfaceKind};
use adeval_compositing::color::Lch;
use std::collections::HashMap;
use std::sync::OnceLock;

/// What a prompt asks for; what it leaves open is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wishes {
    /// What the product stands on.
    pub surface: Option<SurfaceKind>,
    /// What is behind.
    pub backdrop: Option<BackdropKind>,
    /// Character of the light.
    pub mood: Option<Mood>,
    /// Azimuth of the light in degrees.
    pub azimuth: Option<f32>,
    /// Season.
    pub season: Option<Season>,
    /// Colour of the surface, where the prompt ties one to it.
    pub surface_color: Option<Lch>,
    /// Colour of the wall or background, where the prompt ties one to it.
    pub backdrop_color: Option<Lch>,
    /// Other colours, in order.
    pub colors: Vec<Lch>,
    /// Palette.
    pub palette: Option<PaletteStyle>,
    /// Props, in order, each once.
    pub props: Vec<PropKind>,
    /// What breaks up the light.
    pub gobo: Option<GoboKind>,
    /// Aperture, 0 to 1.
    pub aperture: Option<f32>,
    /// Whether the prompt wants no props.
    pub bare: bool,
    /// What must not be in the scene.
    pub unwanted: Vec<Meaning>,
    /// A hash of the words that mean nothing here: they still steer what is left open.
    pub rest: u64,
}

const LONGEST: usize = 3;

fn lexicon() -> &'static HashMap<&'static str, Meaning> {
    static MAP: OnceLock<HashMap<&'static str, Meaning>> = OnceLock::new();
    MAP.get_or_init(|| LEXICON.iter().copied().collect())
}

/// Words in lower case; "." ends a sentence and "," a phrase, so that neither is bridged.
fn tokens(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            c if c.is_alphanumeric() => out.last_mut().into_iter().for_each(|w| w.push(c)),
            '.' | ',' | ';' | ':' | '(' | ')' => out.extend([",".to_owned(), String::new()]),
            '\'' | '\u{2019}' => {}
            _ => out.push(String::new()),
        }
    }
    out.retain(|w| !w.is_empty());
    out
}

/// The word without a plural ending.
fn singular(word: &str) -> String {
    match word {
        "leaves" => return "leaf".into(),
        "glass" | "grass" | "moss" | "canvas" | "christmas" | "xmas" => return word.into(),
        _ => {}
    }
    if let Some(stem) = word.strip_suffix("ies").filter(|s| s.len() > 2) {
        return format!("{stem}y");
    }
    for ending in ["shes", "ches", "xes", "sses"] {
        if word.ends_with(ending) {
            return word[..word.len() - 2].into();
        }
    }
    word.strip_suffix('s').filter(|s| s.len() > 2 && !s.ends_with('s')).unwrap_or(word).into()
}

/// The meaning of the longest phrase at the front of the words, and how many words it takes.
fn meaning(words: &[String]) -> Option<(Meaning, usize)> {
    for count in (1..=LONGEST.min(words.len())).rev() {
        let plain = words[..count].join(" ");
        let mut last = words[..count].to_vec();
        last[count - 1] = singular(&last[count - 1]);
        if let Some(&found) = lexicon().get(plain.as_str()).or_else(|| lexicon().get(last.join(" ").as_str()))
        {
            return Some((found, count));
        }
    }
    None
}

impl Wishes {
    /// Reads a prompt and a negative prompt. `title` is the product's: where the prompt repeats it, its words are the
    /// product's and say nothing about the scene.
    pub fn read(prompt: &str, negative: &str, title: &str) -> Self {
        let text = prompt.to_lowercase();
        let title = title.to_lowercase();
        let text = if title.len() > 3 { text.replace(&title, " ") } else { text };
        let words = tokens(&text);
        let mut wishes = Self::default();
        let mut pending: Option<Lch> = None;
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let (mut at, mut after_color) = (0, false);
        while at < words.len() {
            if matches!(words[at].as_str(), "no" | "without" | "not") {
                at += 1;
                // "without any green leaves": everything up to the next meaning belongs to the refusal.
                for _ in 0..3 {
                    if let Some((found, count)) = words.get(at..).and_then(meaning) {
                        wishes.unwanted.push(found);
                        at += count;
                        break;
                    }
                    at += 1;
                }
                continue;
            }
            let Some((found, count)) = meaning(&words[at..]) else {
                for byte in words[at].bytes().filter(|_| words[at].len() > 3) {
                    hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
                }
                after_color = false;
                if words[at] == "," {
                    wishes.colors.extend(pending.take());
                }
                at += 1;
                continue;
            };
            // "Sage green", "mustard yellow": the second word only says what the first one is.
            if !(matches!(found, Meaning::Color(_)) && after_color) {
                wishes.take(found, &mut pending);
            }
            after_color = matches!(found, Meaning::Color(c) if c.c > 0.02);
            at += count;
        }
        wishes.colors.extend(pending);
        let refused = tokens(negative);
        let mut at = 0;
        while at < refused.len() {
            match meaning(&refused[at..]) {
                Some((found, count)) => {
                    wishes.unwanted.push(found);
                    at += count;
                }
                None => at += 1,
            }
        }
        wishes.rest = hash;
        wishes.refuse();
        wishes
    }

    fn take(&mut self, found: Meaning, pending: &mut Option<Lch>) {
        match found {
            Meaning::Surface(kind) => {
                self.surface.get_or_insert(kind);
                self.surface_color = self.surface_color.or(pending.take());
            }
            Meaning::Backdrop(kind) => {
                // "A plaster wall with an arched niche" is a niche.
                let special = matches!(kind, BackdropKind::Arch | BackdropKind::Disc);
                if self.backdrop.is_none() || (self.backdrop == Some(BackdropKind::Wall) && special) {
                    self.backdrop = Some(kind);
                }
                self.backdrop_color = self.backdrop_color.or(pending.take());
            }
            Meaning::Behind => self.backdrop_color = self.backdrop_color.or(pending.take()),
            Meaning::Below => self.surface_color = self.surface_color.or(pending.take()),
            Meaning::Color(color) => self.colors.extend(pending.replace(color)),
            Meaning::Mood(mood) => {
                // A named light says more than "soft".
                if self.mood.is_none_or(|m| matches!(m, Mood::Soft | Mood::Studio)) {
                    self.mood = Some(mood);
                }
            }
            Meaning::From(azimuth) => self.azimuth = self.azimuth.or(Some(azimuth)),
            Meaning::Season(season) => self.season = self.season.or(Some(season)),
            Meaning::Palette(style) => self.palette = self.palette.or(Some(style)),
            Meaning::Prop(kind) if !self.props.contains(&kind) => self.props.push(kind),
            Meaning::Prop(_) => {}
            Meaning::Gobo(kind) => self.gobo = self.gobo.or(Some(kind)),
            Meaning::Aperture(value) => self.aperture = self.aperture.or(Some(value)),
            Meaning::Bare => self.bare = true,
        }
    }

    /// Drops what is unwanted from what is wanted.
    fn refuse(&mut self) {
        for unwanted in self.unwanted.clone() {
            match unwanted {
                Meaning::Surface(kind) => self.surface = self.surface.filter(|&k| k != kind),
                Meaning::Backdrop(kind) => self.backdrop = self.backdrop.filter(|&k| k != kind),
                Meaning::Mood(mood) => self.mood = self.mood.filter(|&m| m != mood),
                Meaning::Season(season) => self.season = self.season.filter(|&s| s != season),
                Meaning::Palette(style) => self.palette = self.palette.filter(|&s| s != style),
                Meaning::Prop(kind) => self.props.retain(|&k| k != kind),
                Meaning::Gobo(kind) => self.gobo = self.gobo.filter(|&k| k != kind),
                Meaning::Aperture(_) => self.aperture = Some(0.0),
                Meaning::Color(color) => {
                    self.colors.retain(|&c| c != color);
                    self.surface_color = self.surface_color.filter(|&c| c != color);
                    self.backdrop_color = self.backdrop_color.filter(|&c| c != color);
                }
                Meaning::From(_) | Meaning::Behind | Meaning::Below | Meaning::Bare => {}
            }
        }
    }

    /// Whether something must not be drawn.
    pub fn refuses(&self, meaning: Meaning) -> bool {
        self.unwanted.contains(&meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prompt: &str) -> Wishes {
        Wishes::read(prompt, "", "")
    }

    #[test]
    fn a_full_prompt_is_understood() {
        let w = read(
            "A bottle on white marble against a sage green wall, golden hour light from the right, palm shadows, autumn leaves, blurred background",
        );
        assert_eq!(w.surface, Some(SurfaceKind::Marble));
        assert!(w.surface_color.unwrap().l > 0.9);
        assert!((w.backdrop_color.unwrap().h - 148.0).abs() < 10.0);
        assert_eq!((w.mood, w.azimuth), (Some(Mood::Golden), Some(58.0)));
        assert_eq!((w.gobo, w.season), (Some(GoboKind::Palm), Some(Season::Autumn)));
        assert_eq!((w.props.as_slice(), w.aperture), ([PropKind::Leaves].as_slice(), Some(1.0)));
    }

    #[test]
    fn negations_and_negative_prompts_remove() {
        assert!(read("marble podium without leaves, no spheres").props == [PropKind::Podium]);
        let w = Wishes::read("snowy forest with gifts and candles", "gifts, snow", "");
        assert_eq!((w.surface, w.props.as_slice()), (None, [PropKind::Candles].as_slice()));
        assert!(w.refuses(Meaning::Surface(SurfaceKind::Snow)));
    }

    #[test]
    fn the_title_is_the_product_s() {
        let w = Wishes::read("Green Glass Vase on a wooden table", "", "Green Glass Vase");
        assert_eq!((w.surface, w.colors.len()), (Some(SurfaceKind::Wood), 0));
    }

    #[test]
    fn words_without_meaning_still_count() {
        assert_ne!(read("quiet elegance").rest, read("joyful abundance").rest);
    }

    #[test]
    fn every_entry_can_be_reached() {
        for (phrase, wanted) in LEXICON {
            let words = tokens(phrase);
            let found = meaning(&words).unwrap_or_else(|| panic!("\"{phrase}\" is not found"));
            assert!(found.1 == words.len() && found.0 == *wanted, "\"{phrase}\" reads as {found:?}");
        }
    }
}
