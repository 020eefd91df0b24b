//! The crate of a new plugin: from templates that build, pass their own tests and can be in a bench as they are.

mod name;
mod sdk;
mod templates;

pub use name::check as check_name;
pub use sdk::Sdk;

use adeval_sdk::Kind;
use std::path::{Path, PathBuf};

/// A crate to be made.
#[derive(Debug, Clone)]
pub struct NewPlugin {
    /// What its component is.
    pub kind: Kind,
    /// Name of the crate and of its component, checked by [`check_name`].
    pub name: String,
    /// The crate's folder, which must not exist.
    pub directory: PathBuf,
    /// Where it takes the sdk from.
    pub sdk: Sdk,
}

/// A crate that was made.
#[derive(Debug, Clone)]
pub struct Created {
    /// Its folder, absolute.
    pub directory: PathBuf,
    /// Its files, relative to the folder.
    pub files: Vec<PathBuf>,
    /// The folder where its suite expects products, when none of adeval's own were found.
    pub missing_products: Option<PathBuf>,
}

/// Why a crate cannot be made, and the mend.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ScaffoldError {
    /// One sentence that names the thing that is wrong.
    pub message: String,
    /// What the reader can do about it.
    pub mend: String,
}

impl ScaffoldError {
    fn new(message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { message: message.into(), mend: mend.into() }
    }

    fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(format!("{} cannot be {what}: {error}", path.display()), "name another folder with --path")
    }
}

impl NewPlugin {
    /// Its kind with its article: `a reward-model`, `an image-embedder`.
    pub fn described(&self) -> String {
        format!("{} {}", templates::article(self.kind), self.kind)
    }

    /// The library's file after a release build, from the crate's folder.
    pub fn built_file(&self) -> String {
        templates::built_file(&self.name)
    }

    /// Writes the crate.
    ///
    /// # Errors
    /// When the name is not one ([`check_name`]), the folder exists or cannot be written. A crate that could not be written
    /// whole is removed again.
    pub fn create(&self) -> Result<Created, ScaffoldError> {
        check_name(&self.name)?;
        if self.directory.exists() {
            return Err(ScaffoldError::new(
                format!("{} exists already", self.directory.display()),
                "choose another name, or name a folder that does not exist with --path",
            ));
        }
        std::fs::create_dir_all(&self.directory)
            .map_err(|error| ScaffoldError::io("made", &self.directory, &error))?;
        self.fill().inspect_err(|_| {
            // What stopped the writing is the news; a rest of it is not.
            let _ = std::fs::remove_dir_all(&self.directory);
        })
    }

    fn fill(&self) -> Result<Created, ScaffoldError> {
        let directory = self
            .directory
            .canonicalize()
            .map_err(|error| ScaffoldError::io("found again", &self.directory, &error))?;
        let fixtures = self.sdk.fixtures();
        let files = templates::render(&templates::Blanks {
            kind: self.kind,
            name: &self.name,
            sdk: self.sdk.dependency(&directory)?,
            products: sdk::place(&directory, fixtures.as_deref(), "products/products.json", "products")?,
            reference: sdk::place(&directory, fixtures.as_deref(), "reference/images", "reference")?,
        });
        let mut written = Vec::new();
        for (file, text) in files.into_iter().chain(self.sdk.lock()) {
            let path = directory.join(&file);
            let parent = path.parent().unwrap_or(&directory);
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&path, text))
                .map_err(|error| ScaffoldError::io("written", &path, &error))?;
            written.push(file);
        }
        let without = fixtures.is_none() && self.kind != Kind::RlOptimizer;
        let missing_products = without.then(|| directory.join("products"));
        Ok(Created { directory, files: written, missing_products })
    }
}

#[cfg(test)]
mod tests;
