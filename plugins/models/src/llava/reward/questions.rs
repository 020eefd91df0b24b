//! The wordings in which a reward model is asked, from a data file, and what they are filled with.

use std::path::Path;

use serde::Deserialize;

use crate::language::filled;
use crate::llava::prompt::harmless;
use crate::tensors::read_config;
use crate::{ModelError, Result};

/// What is known of a product; parts that are not known stay empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// What a shop writes: the title, or a caption.
    pub caption: String,
    /// Names and values, in the order in which they are told.
    pub attributes: Vec<(String, String)>,
}

/// Which of the three pools a question is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Question {
    /// Nothing is said of the product.
    Bare,
    /// The caption is quoted, where there is one.
    #[default]
    Caption,
    /// Caption and attributes are given, as far as there are any.
    Attributes,
}

/// Pools of wordings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pools {
    bare: Vec<String>,
    caption: Vec<String>,
    attributes: Vec<String>,
}

/// The pools, and which one is asked from.
#[derive(Clone, Debug)]
pub struct Questions {
    pools: Pools,
    kind: Question,
}

impl Questions {
    /// The pools that come with this crate.
    ///
    /// # Errors
    /// As [`Questions::read`].
    pub fn own(kind: Question) -> Result<Self> {
        let parsed = serde_json::from_str(include_str!("questions.json"));
        let label = "the built-in questions";
        let pools =
            parsed.map_err(|e| ModelError::Unfit { label: label.to_owned(), reason: e.to_string() })?;
        Self::new(pools, kind, label)
    }

    /// The pools of a JSON file: lists of wordings under `bare`, `caption` (each with `{caption}`) and `attributes` (each with
    /// `{attributes}`, and `{caption}` where it is wanted).
    ///
    /// # Errors
    /// [`ModelError::Read`] and [`ModelError::Config`] for a file that cannot be read, and [`ModelError::Unfit`] for an empty pool or
    /// a wording without its place.
    pub fn read(path: &Path, kind: Question) -> Result<Self> {
        Self::new(read_config(path)?, kind, &path.display().to_string())
    }

    fn new(pools: Pools, kind: Question, label: &str) -> Result<Self> {
        let unfit = |reason: String| ModelError::Unfit { label: label.to_owned(), reason };
        if let Some(wording) = pools.bare.iter().find(|wording| wording.contains('{')) {
            return Err(unfit(format!("a wording of the pool bare has a place to fill: \"{wording}\"")));
        }
        for (name, pool, place) in [
            ("bare", &pools.bare, None),
            ("caption", &pools.caption, Some("{caption}")),
            ("attributes", &pools.attributes, Some("{attributes}")),
        ] {
            if pool.is_empty() {
                return Err(unfit(format!("the pool {name} is empty; give at least one wording")));
            }
            let lacks = |wording: &&String| place.is_some_and(|place| !wording.contains(place));
            if let Some(wording) = pool.iter().find(lacks) {
                let place = place.unwrap_or_default();
                return Err(unfit(format!("a wording of the pool {name} has no {place}: \"{wording}\"")));
            }
        }
        Ok(Self { pools, kind })
    }

    /// The question about a product, in the wording that `seed` chooses. Where nothing is known to fill it, a plainer one is
    /// taken.
    pub fn ask(&self, subject: &Subject, seed: u64) -> String {
        let caption = one_line(&subject.caption);
        let pools = [
            (Question::Attributes, &self.pools.attributes),
            (Question::Caption, &self.pools.caption),
            (Question::Bare, &self.pools.bare),
        ];
        let known = |wording: &&String| {
            let lacks_caption = caption.is_empty() && wording.contains("{caption}");
            let lacks_attributes = subject.attributes.is_empty() && wording.contains("{attributes}");
            !lacks_caption && !lacks_attributes
        };
        let mut wordings = pools
            .into_iter()
            .skip_while(|(kind, _)| *kind != self.kind)
            .map(|(_, pool)| pool.iter().filter(known).collect::<Vec<_>>());
        // Wordings of the last pool need nothing.
        let wordings = wordings.find(|wordings| !wordings.is_empty()).unwrap_or_default();
        let chosen = seed.checked_rem(wordings.len() as u64).and_then(|at| wordings.get(at as usize));
        let wording = chosen.map_or("", |wording| wording.as_str());
        let attributes: Vec<String> = subject
            .attributes
            .iter()
            .map(|(name, value)| format!("{}: {}", one_line(name), one_line(value)))
            .collect();
        filled(wording, &[("{caption}", &caption), ("{attributes}", &attributes.join("; "))])
    }
}

/// On one line, and naming no picture.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    harmless(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        let attributes =
            vec![("colour".to_owned(), "red".to_owned()), ("for".to_owned(), "women\n".to_owned())];
        Subject { caption: "A {attributes} <image> bag".to_owned(), attributes }
    }

    #[test]
    fn every_wording_is_filled_whole() {
        for kind in [Question::Bare, Question::Caption, Question::Attributes] {
            let questions = Questions::own(kind).expect("the pools are sound");
            for seed in 0..20 {
                let asked = questions.ask(&subject(), seed);
                assert!(!asked.contains("{caption}") && !asked.contains("<image>"), "{asked}");
                assert_eq!(
                    asked.contains("A {attributes} < image> bag"),
                    kind != Question::Bare && asked.contains("A {"),
                    "{asked}"
                );
                assert_eq!(
                    asked.contains("colour: red; for: women"),
                    kind == Question::Attributes,
                    "{asked}"
                );
                assert!(asked.contains("left") && asked.contains("right"), "{asked}");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_not_asked_about() {
        let questions = Questions::own(Question::Attributes).expect("the pools are sound");
        let bare = Questions::own(Question::Bare).expect("the pools are sound");
        assert_eq!(questions.ask(&Subject::default(), 3), bare.ask(&subject(), 3));
        let nameless = Subject { caption: String::new(), ..subject() };
        for seed in 0..20 {
            let asked = questions.ask(&nameless, seed);
            assert!(asked.contains("colour: red") && !asked.contains("\"\""), "{asked}");
        }
    }

    #[test]
    fn pools_that_cannot_be_asked_from_are_named() {
        let refused = |bare: &[&str], caption: &[&str]| {
            let owned = |pool: &[&str]| pool.iter().map(|&w| w.to_owned()).collect();
            let attributes = vec!["{attributes}".to_owned()];
            let pools = Pools { bare: owned(bare), caption: owned(caption), attributes };
            Questions::new(pools, Question::Bare, "q.json").expect_err("refused").to_string()
        };
        assert!(refused(&[], &["{caption}"]).contains("q.json: the pool bare is empty"));
        assert!(refused(&["a {caption}"], &["{caption}"]).contains("the pool bare has a place to fill"));
        assert!(refused(&["a"], &["which?"]).contains("the pool caption has no {caption}: \"which?\""));
    }
}
