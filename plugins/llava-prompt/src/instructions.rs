//! The pool of instructions: the background prompts that this plugin asks for, and the other tasks that the paper pre-trains on
//! (image understanding, understanding of picture and text together, prompt writing), each in several wordings and languages.

use std::collections::BTreeMap;
use std::path::Path;

use adeval_models::language;
use adeval_models::llava::prompt::harmless;
use adeval_sdk::{PluginError, Product, Result};
use serde::Deserialize;

/// Tasks, languages, wordings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Instructions {
    tasks: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// Places that a wording may have.
const PLACES: [&str; 3] = ["{title}", "{attributes}", "{draft}"];

impl Instructions {
    /// The pool that comes with the plugin.
    ///
    /// # Errors
    /// As [`Instructions::read`].
    pub fn own() -> Result<Self> {
        Self::parse(include_str!("instructions.json"), "the built-in instructions")
    }

    /// A pool of the same form from a JSON file.
    ///
    /// # Errors
    /// `InvalidParameters`, naming the file, and the task without a wording.
    pub fn read(path: &Path) -> Result<Self> {
        let label = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| PluginError::invalid_parameters(format!("instructions {label}: {error}")))?;
        Self::parse(&text, &label)
    }

    fn parse(text: &str, label: &str) -> Result<Self> {
        let bad = |reason: String| PluginError::invalid_parameters(format!("instructions {label}: {reason}"));
        let pool: Self = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        for (task, languages) in &pool.tasks {
            if let Some((language, _)) = languages.iter().find(|(_, wordings)| wordings.is_empty()) {
                return Err(bad(format!("{task} has no wording in {language}")));
            }
        }
        Ok(pool)
    }

    /// The wordings of a task in a language.
    ///
    /// # Errors
    /// `InvalidParameters`, naming the tasks or the languages that there are.
    pub fn wordings(&self, task: &str, language: &str) -> Result<&[String]> {
        let names =
            |found: Vec<&String>| found.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let languages = self.tasks.get(task).ok_or_else(|| {
            let known = names(self.tasks.keys().collect());
            PluginError::invalid_parameters(format!("task is \"{task}\": it must be one of {known}"))
        })?;
        let wordings = languages.get(language).ok_or_else(|| {
            let known = names(languages.keys().collect());
            PluginError::invalid_parameters(format!(
                "language is \"{language}\": for {task} it must be one of {known}"
            ))
        })?;
        Ok(wordings)
    }
}

/// A wording about a product.
pub fn filled(wording: &str, product: &Product, draft: &str) -> String {
    let (title, attributes) = (one_line(&product.title), attributes(product));
    let values = PLACES.into_iter().zip([title.as_str(), attributes.as_str(), draft]);
    one_line(&language::filled(wording, &values.collect::<Vec<_>>()))
}

/// `Category: Bags > Handbags; price: 59.00 USD; colour: red.`, as far as it is known.
fn attributes(product: &Product) -> String {
    let mut told = Vec::new();
    if !product.category.is_empty() {
        told.push(format!("category: {}", product.category.join(" > ")));
    }
    if let Some(price) = product.price {
        let currency = product.currency.as_deref().unwrap_or_default();
        told.push(format!("price: {price:.2} {currency}").trim_end().to_owned());
    }
    told.extend(product.attributes.iter().map(|(name, value)| format!("{name}: {value}")));
    if told.is_empty() { String::new() } else { format!("({})", one_line(&told.join("; "))) }
}

/// Without line breaks and doubled spaces, and naming no picture.
fn one_line(text: &str) -> String {
    harmless(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_sdk::Image;

    fn product() -> Product {
        let mut product =
            Product::new("bag", "Red {draft}\n<ima<image>ge> bag", Image::from(image::RgbaImage::new(1, 1)));
        product.category = vec!["Bags".to_owned(), "Handbags".to_owned()];
        product.attributes.insert("colour".to_owned(), "red".to_owned());
        product
    }

    #[test]
    fn every_wording_is_filled_whole() {
        let pool = Instructions::own().expect("the pool is sound");
        let mut counted = 0;
        for (task, languages) in &pool.tasks {
            assert!(languages.contains_key("en"), "{task}");
            for wording in languages.values().flatten() {
                let places = wording.matches('{').count();
                let known: usize = PLACES.iter().map(|place| wording.matches(place).count()).sum();
                assert_eq!(places, known, "{wording}");
                let text = filled(wording, &product(), "a table");
                assert!(
                    !text.contains("{title}") && !text.contains("<image>") && !text.contains("  "),
                    "{text}"
                );
                assert_eq!(text.contains("colour: red"), wording.contains("{attributes}"), "{text}");
                assert_eq!(text.contains("a table"), wording.contains("{draft}"), "{text}");
                counted += 1;
            }
        }
        assert!(counted > 20, "{counted}");
    }

    #[test]
    fn what_is_not_in_the_pool_is_named() {
        let pool = Instructions::own().expect("the pool is sound");
        let error = pool.wordings("background", "en").expect_err("no such task").to_string();
        assert!(error.contains("background-prompt, describe-background"), "{error}");
        let error = pool.wordings("write-title", "fr").expect_err("no such language").to_string();
        assert!(error.contains("one of de, en, zh"), "{error}");
        let error = Instructions::parse(r#"{"a": {"en": []}}"#, "x.json").expect_err("empty").to_string();
        assert!(error.contains("x.json: a has no wording in en"), "{error}");
    }
}
