//! Where a new crate finds the sdk, and what lies beside it: the fixtures and the lock file.

use super::ScaffoldError;
use crate::suite;
use std::path::{Path, PathBuf};

/// Where a new crate takes the sdk from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sdk {
    /// The folder of its crate, absolute.
    Folder(PathBuf),
    /// A version of a registry, as cargo takes it.
    Version(String),
}

impl Sdk {
    /// What a person named: a clone of adeval, the sdk's folder in it, or a version.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn named(text: &str) -> Result<Self, ScaffoldError> {
        let path = Path::new(text);
        if let Some(folder) = sdk_in(path) {
            return Ok(Self::Folder(folder));
        }
        if !path.exists() && is_version(text) {
            return Ok(Self::Version(text.into()));
        }
        let message = if path.exists() {
            format!("{} is no clone of adeval: it has no sdk/Cargo.toml of adeval-sdk", path.display())
        } else {
            format!("\"{text}\" is neither a folder nor a version")
        };
        Err(ScaffoldError::new(
            message,
            "name a clone of adeval, e.g. --sdk ../adeval, or a version: --sdk 0.1",
        ))
    }

    /// Looks in the folders above this one, above the new crate and above the program.
    ///
    /// # Errors
    /// When there is no clone of adeval in any of them.
    pub fn find(new_crate: &Path) -> Result<Self, ScaffoldError> {
        let starts =
            [std::env::current_dir().ok(), std::path::absolute(new_crate).ok(), std::env::current_exe().ok()];
        let folders = starts.iter().flatten().flat_map(|start| start.ancestors());
        folders.filter_map(sdk_in).next().map(Self::Folder).ok_or_else(|| {
            ScaffoldError::new(
                "the sdk was not found: there is no clone of adeval above this folder, the new crate or the program",
                "name one: --sdk PATH-OF-THE-CLONE",
            )
        })
    }

    /// The value of the dependency in `Cargo.toml`.
    pub(super) fn dependency(&self, new_crate: &Path) -> Result<String, ScaffoldError> {
        Ok(match self {
            Self::Folder(folder) => format!("{{ path = {} }}", quoted(&seen_from(new_crate, folder))?),
            Self::Version(version) => quoted(Path::new(version))?,
        })
    }

    /// The fixtures beside the sdk, or those that the default suite uses.
    pub(super) fn fixtures(&self) -> Option<PathBuf> {
        let beside = match self {
            Self::Folder(folder) => folder.parent().map(|root| root.join("fixtures")),
            Self::Version(_) => None,
        };
        let usable = |folder: &PathBuf| folder.join("products/products.json").is_file();
        let default = || suite::find_default()?.canonicalize().ok()?.ancestors().nth(2).map(Path::to_owned);
        beside.filter(usable).or_else(|| default().filter(usable))
    }

    /// The clone's lock file: the first build takes the versions that the sdk was tested with, and cargo drops the rest.
    pub(super) fn lock(&self) -> Option<(PathBuf, String)> {
        let Self::Folder(folder) = self else { return None };
        let text = std::fs::read_to_string(folder.parent()?.join("Cargo.lock")).ok()?;
        Some(("Cargo.lock".into(), text))
    }
}

/// The sdk's folder, when it is this one or the `sdk` in it.
fn sdk_in(folder: &Path) -> Option<PathBuf> {
    let is_sdk = |folder: &PathBuf| {
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
        let manifest: toml::Table = manifest.parse().ok()?;
        (manifest.get("package")?.get("name")?.as_str()? == "adeval-sdk").then_some(())
    };
    let found = [folder.join("sdk"), folder.to_owned()].into_iter().find(|f| is_sdk(f).is_some())?;
    found.canonicalize().ok()
}

/// `1`, `0.1.2`, `^0.1`, `>=0.1, <0.3`: cargo checks the rest.
fn is_version(text: &str) -> bool {
    let numeric = text.trim_start_matches(['^', '~', '=', '<', '>', ' ']);
    numeric.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "^~=<>*.+-, ".contains(c))
}

/// A path of the fixtures for a suite, or the folder of the new crate that takes its place.
pub(super) fn place(
    new_crate: &Path,
    fixtures: Option<&Path>,
    inside: &str,
    otherwise: &str,
) -> Result<String, ScaffoldError> {
    match fixtures {
        Some(fixtures) => quoted(&seen_from(new_crate, &fixtures.join(inside))),
        None => quoted(Path::new(otherwise)),
    }
}

/// A path from a folder: relative when some folder below the root holds both, so that they can be moved together; else
/// as it is. Both are absolute and without links.
fn seen_from(folder: &Path, path: &Path) -> PathBuf {
    let shared = path.ancestors().skip(1).find(|above| folder.starts_with(above));
    let Some(shared) = shared.filter(|above| above.parent().is_some()) else { return path.to_owned() };
    let (Ok(up), Ok(down)) = (folder.strip_prefix(shared), path.strip_prefix(shared)) else {
        return path.to_owned();
    };
    up.components().map(|_| Path::new("..")).chain([down]).collect()
}

/// A path as a TOML string.
fn quoted(path: &Path) -> Result<String, ScaffoldError> {
    let text = path.to_str().ok_or_else(|| {
        ScaffoldError::new(
            format!("{} is not UTF-8, and Cargo.toml can name no such path", path.display()),
            "move the clone or the new crate to a folder with a plain name",
        )
    })?;
    Ok(toml::Value::String(text.into()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_named_relatively_and_a_stranger_absolutely() {
        let seen = |folder, path| seen_from(Path::new(folder), Path::new(path));
        assert_eq!(seen("/home/me/dusk", "/home/me/adeval/sdk"), Path::new("../adeval/sdk"));
        assert_eq!(seen("/home/me/adeval/dusk", "/home/me/adeval/sdk"), Path::new("../sdk"));
        assert_eq!(seen("/home/me/adeval/p/dusk", "/home/me/adeval/sdk"), Path::new("../../sdk"));
        assert_eq!(seen("/scratch/dusk", "/home/me/adeval/sdk"), Path::new("/home/me/adeval/sdk"));
    }

    #[test]
    fn versions_and_paths_are_told_apart() {
        for version in ["0.1", "1", "^0.1.2", ">=0.1, <0.3", "0.1.0-rc.1"] {
            assert_eq!(Sdk::named(version).unwrap(), Sdk::Version(version.into()));
        }
        for text in ["", "latest", "./nowhere", "0.1;rm"] {
            assert!(Sdk::named(text).unwrap_err().mend.contains("--sdk ../adeval"), "{text}");
        }
    }

    #[test]
    fn a_clone_and_the_sdk_in_it_are_the_same() {
        let clone = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let sdk = Sdk::Folder(clone.join("sdk").canonicalize().unwrap());
        assert_eq!(Sdk::named(clone.to_str().unwrap()).unwrap(), sdk);
        assert_eq!(Sdk::named(clone.join("sdk").to_str().unwrap()).unwrap(), sdk);
        assert!(Sdk::named(env!("CARGO_MANIFEST_DIR")).unwrap_err().message.contains("no clone of adeval"));
        assert!(sdk.fixtures().is_some_and(|fixtures| fixtures.ends_with("fixtures")));
    }

    #[test]
    fn odd_folders_stay_one_toml_string() {
        let text = quoted(Path::new("/a \"b\"\\c/sdk")).unwrap();
        let table: toml::Table = format!("path = {text}").parse().unwrap();
        assert_eq!(table["path"].as_str(), Some("/a \"b\"\\c/sdk"));
    }
}
