//! `snapshot-tolerances.toml`: one file for all layers and all platforms.

use super::Tolerance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Name of the file. It is looked for beside what is tested and in the folders above.
pub const TOLERANCES_FILE: &str = "snapshot-tolerances.toml";

/// The limits of every layer on one platform.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tolerances {
    /// Of creatives.
    pub pixels: Tolerance,
    /// Of embeddings.
    pub embeddings: EmbeddingTolerance,
    /// Of metrics.
    pub metrics: NumberTolerance,
}

/// Limit of embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingTolerance {
    /// Largest length of the change over the old vector's length, at least 0. Unlike a cosine it sees a change of scale,
    /// which a Frechet distance sees too.
    pub relative: f64,
}

impl Default for EmbeddingTolerance {
    fn default() -> Self {
        Self { relative: 0.02 }
    }
}

/// Limits of numbers: `|new - old| <= absolute + relative * |old|`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NumberTolerance {
    /// Share of the old number.
    pub relative: f64,
    /// In the number's unit.
    pub absolute: f64,
}

impl Default for NumberTolerance {
    fn default() -> Self {
        Self { relative: 1e-6, absolute: 1e-9 }
    }
}

impl NumberTolerance {
    /// Whether two numbers are alike; two NaN are.
    pub fn admits(&self, old: f64, new: f64) -> bool {
        (old.is_nan() && new.is_nan()) || (new - old).abs() <= self.absolute + self.relative * old.abs()
    }
}

/// Why a file of tolerances cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .file.display())]
pub struct TolerancesError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, and the mend.
    pub reason: String,
}

impl Tolerances {
    /// The limits for a machine class, from the nearest file in `folder` or above it; the defaults where there is none.
    /// Also gives the file.
    ///
    /// # Errors
    /// [`TolerancesError`] when the file cannot be read or is wrong, for whatever platform.
    pub fn find(folder: &Path, class: &str) -> Result<(Self, Option<PathBuf>), TolerancesError> {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let found = folder.ancestors().map(|f| f.join(TOLERANCES_FILE)).find(|file| file.is_file());
        match found {
            Some(file) => Ok((Self::load(&file, class)?, Some(file))),
            None => Ok((Self::default(), None)),
        }
    }

    /// The limits for a machine class that a file gives.
    ///
    /// # Errors
    /// As [`Tolerances::find`].
    pub fn load(file: &Path, class: &str) -> Result<Self, TolerancesError> {
        let wrong = |reason: String| TolerancesError { file: file.to_owned(), reason };
        let text = std::fs::read_to_string(file).map_err(|e| wrong(format!("cannot be read: {e}")))?;
        Self::parse(&text, class).map_err(wrong)
    }

    /// The limits for a machine class that a file's text gives: `[default]`, then each `[platform.NAME]` whose name is the
    /// class or its start (`x86_64`, `x86_64-linux`, `x86_64-linux-avx2`), the longest last.
    ///
    /// # Errors
    /// One sentence. The tables of other platforms are checked too, so that a slip is found where it was made.
    pub fn parse(text: &str, class: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            #[serde(default)]
            default: Table,
            #[serde(default)]
            platform: std::collections::BTreeMap<String, Table>,
        }
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        for (name, table) in &file.platform {
            limits(table.clone()).map_err(|reason| format!("[platform.{name}]: {reason}"))?;
        }
        // Sorted by name, a start comes before what it is the start of.
        let fits =
            |name: &str| class == name || class.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
        let mut merged = file.default;
        file.platform
            .into_iter()
            .filter(|(name, _)| fits(name))
            .for_each(|(_, table)| merge(&mut merged, table));
        limits(merged).map_err(|reason| format!("[default]: {reason}"))
    }
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn limits(table: Table) -> Result<Tolerances, String> {
    let tolerances: Tolerances =
        table.try_into().map_err(|e: toml::de::Error| e.to_string().trim().to_owned())?;
    tolerances.pixels.check().map_err(|reason| format!("pixels.{reason}"))?;
    let numbers = [
        ("embeddings.relative", tolerances.embeddings.relative),
        ("metrics.relative", tolerances.metrics.relative),
        ("metrics.absolute", tolerances.metrics.absolute),
    ];
    match numbers.iter().find(|(_, value)| !(*value >= 0.0 && value.is_finite())) {
        Some((name, value)) => Err(format!("{name} = {value}: it must be finite and at least 0")),
        None => Ok(tolerances),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
        [default.pixels]
        pixel = 0.1
        [platform.x86_64.pixels]
        window = 16
        [platform.x86_64-linux.pixels]
        pixel = 0.2
        [platform.x86_64-linux-avx2.embeddings]
        relative = 0.5
        [platform.aarch64.pixels]
        pixel = 0.9
    ";

    #[test]
    fn the_longest_name_of_a_platform_has_the_last_word() {
        let avx2 = Tolerances::parse(FILE, "x86_64-linux-avx2").unwrap();
        assert_eq!((avx2.pixels.pixel, avx2.pixels.window, avx2.embeddings.relative), (0.2, 16, 0.5));
        let mac = Tolerances::parse(FILE, "x86_64-macos-avx2").unwrap();
        assert_eq!((mac.pixels.pixel, mac.pixels.window, mac.embeddings.relative), (0.1, 16, 0.02));
        // A name is not the start of a class inside a word.
        assert_eq!(Tolerances::parse(FILE, "aarch64_be-linux").unwrap().pixels.pixel, 0.1);
        assert_eq!(Tolerances::parse("", "x").unwrap(), Tolerances::default());
    }

    #[test]
    fn slips_are_named_on_every_platform() {
        let reason = |text: &str| Tolerances::parse(text, "x86_64-linux-avx2").unwrap_err();
        let typo = reason("[platform.riscv64.pixels]\npixle = 0.1");
        assert!(typo.contains("platform.riscv64") && typo.contains("pixle"), "{typo}");
        assert!(reason("[default.pixels]\npixel = 2").contains("pixels.pixel = 2"));
        assert!(reason("[default.pixels]\nwindow = 1").contains("pixels.window = 1"));
        assert!(reason("[default.embeddings]\nrelative = nan").contains("embeddings.relative"));
        assert!(reason("[defaults]").contains("defaults"));
    }

    #[test]
    fn numbers_are_compared_relatively() {
        let tolerance = NumberTolerance { relative: 0.01, absolute: 0.0 };
        assert!(tolerance.admits(100.0, 100.9) && !tolerance.admits(100.0, 101.1));
        assert!(tolerance.admits(f64::NAN, f64::NAN) && !tolerance.admits(f64::NAN, 1.0));
    }
}
