//! The components that discovery has found, and how to name one.

use adeval_sdk::{ComponentManifest, Kind, Manifest, PluginError, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// One component of one library.
#[derive(Debug, Clone)]
pub struct CatalogueEntry {
    /// The library's file, absolute.
    pub path: PathBuf,
    /// BLAKE3 of the file, in hex: part of the identity of everything that the component makes.
    pub digest: String,
    /// What the library says of itself.
    pub manifest: Arc<Manifest>,
    /// What the component says of itself.
    pub component: ComponentManifest,
}

impl CatalogueEntry {
    /// `library/component`, which names it also where another library has a component of that id.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.manifest.library, self.component.info.id)
    }
}

/// A file or directory that could not be used.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Failure {
    /// The file or directory.
    pub path: PathBuf,
    /// Why.
    pub error: PluginError,
}

/// What a scan has found.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    pub(super) entries: Vec<CatalogueEntry>,
    pub(super) failures: Vec<Failure>,
    pub(super) warnings: Vec<String>,
    pub(super) searched: Vec<PathBuf>,
}

impl Catalogue {
    /// All components, in the order of the search.
    pub fn entries(&self) -> &[CatalogueEntry] {
        &self.entries
    }

    /// The components of one kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &CatalogueEntry> {
        self.entries.iter().filter(move |entry| entry.component.kind == kind)
    }

    /// Files that look like plugins and are none that can be used, and directories that cannot be read.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Things to tell the user, e.g. which of two components of one id is used.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The directories of the search, in order.
    pub fn searched(&self) -> &[PathBuf] {
        &self.searched
    }

    /// Adds a library's components.
    pub(super) fn add(&mut self, path: PathBuf, digest: String, manifest: Manifest) {
        let manifest = Arc::new(manifest);
        for component in &manifest.components {
            let id = &component.info.id;
            let first = self.of_kind(component.kind).find(|e| e.component.info.id == *id);
            let same_library = first.is_some_and(|e| e.manifest.library == manifest.library);
            if let Some(first) = first.filter(|e| e.digest != digest) {
                let (kind, used, other) = (component.kind, first.path.display(), path.display());
                let mend = if same_library {
                    "the second is ignored".to_owned()
                } else {
                    format!("\"{}/{id}\" names the second", manifest.library)
                };
                self.warnings.push(format!(
                    "two libraries have the {kind} \"{id}\": {used} is used before {other}; {mend}"
                ));
            }
            if same_library {
                continue;
            }
            self.entries.push(CatalogueEntry {
                path: path.clone(),
                digest: digest.clone(),
                manifest: Arc::clone(&manifest),
                component: component.clone(),
            });
        }
    }

    /// The component of this kind with the name `component` or `library/component`; the first in search order.
    ///
    /// # Errors
    /// `InvalidRequest` with what was searched, or the name that was probably meant.
    pub fn find(&self, kind: Kind, name: &str) -> Result<&CatalogueEntry> {
        let named = |e: &&CatalogueEntry| e.component.info.id == name || e.full_name() == name;
        self.of_kind(kind).find(named).ok_or_else(|| self.not_found(kind, name))
    }

    /// As [`Self::find`] over all kinds, for `plugin inspect`.
    ///
    /// # Errors
    /// As there.
    pub fn find_any(&self, name: &str) -> Result<Vec<&CatalogueEntry>> {
        let named = |e: &&CatalogueEntry| {
            e.component.info.id == name || e.full_name() == name || e.manifest.library == name
        };
        let found: Vec<_> = self.entries.iter().filter(named).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let error = PluginError::invalid_request(format!("there is no component \"{name}\""));
        Err(error.with_hint(self.hint(name, self.entries.iter())))
    }

    fn not_found(&self, kind: Kind, name: &str) -> PluginError {
        if let Some(other) =
            self.entries.iter().find(|e| e.component.info.id == name || e.full_name() == name)
        {
            let message = format!("\"{name}\" is a {}, not a {kind}", other.component.kind);
            return PluginError::invalid_request(message).with_hint(self.hint("", self.of_kind(kind)));
        }
        let error = PluginError::invalid_request(format!("there is no {kind} \"{name}\""));
        error.with_hint(self.hint(name, self.of_kind(kind)))
    }

    fn hint<'a>(&'a self, name: &str, candidates: impl Iterator<Item = &'a CatalogueEntry>) -> String {
        let candidates: Vec<_> = candidates.collect();
        if candidates.is_empty() {
            return format!("none was found; {}", self.where_searched());
        }
        let ids: Vec<&str> = candidates.iter().map(|e| e.component.info.id.as_str()).collect();
        let full: Vec<String> = candidates.iter().map(|e| e.full_name()).collect();
        let likely = if name.contains('/') {
            super::closest(name, full.iter().map(String::as_str))
        } else {
            super::closest(name, ids.iter().copied())
        };
        match likely {
            Some(likely) => format!("did you mean \"{likely}\"?"),
            None => format!("there are {}", ids.join(", ")),
        }
    }

    fn where_searched(&self) -> String {
        let places: Vec<String> = self.searched.iter().map(|d| d.display().to_string()).collect();
        let broken = match self.failures.len() {
            0 => String::new(),
            n => format!("; {n} could not be used, which `adeval plugin list` explains"),
        };
        format!("searched {}{broken}; name more with --plugins DIR", places.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_sdk::{ComponentInfo, ContractVersion};

    fn manifest(library: &str, components: &[(Kind, &str)]) -> Manifest {
        let component = |&(kind, id): &(Kind, &str)| ComponentManifest {
            kind,
            info: ComponentInfo::new(id, "for a test"),
            trainable: false,
            parameters: serde_json::json!({}),
            defaults: serde_json::json!({}),
        };
        Manifest {
            library: library.into(),
            version: "1.0.0".into(),
            contract: ContractVersion::CURRENT,
            features: Vec::new(),
            components: components.iter().map(component).collect(),
        }
    }

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue { searched: vec!["/plugins".into()], ..Catalogue::default() };
        let scenes = [(Kind::BackgroundGenerator, "procedural-scene"), (Kind::PromptGenerator, "words")];
        catalogue.add("/a/liba.so".into(), "1".into(), manifest("scenes", &scenes));
        catalogue.add("/b/libb.so".into(), "2".into(), manifest("other", &scenes[..1]));
        catalogue
    }

    #[test]
    fn the_first_in_the_search_wins_and_the_full_name_reaches_the_second() {
        let catalogue = catalogue();
        let find = |name| catalogue.find(Kind::BackgroundGenerator, name).unwrap().path.clone();
        assert_eq!(find("procedural-scene"), PathBuf::from("/a/liba.so"));
        assert_eq!(find("other/procedural-scene"), PathBuf::from("/b/libb.so"));
        assert_eq!(catalogue.warnings().len(), 1);
        assert!(catalogue.warnings()[0].contains("\"other/procedural-scene\" names the second"));
    }

    #[test]
    fn a_copy_of_the_same_library_is_one() {
        let mut catalogue = catalogue();
        let again = manifest("scenes", &[(Kind::PromptGenerator, "words")]);
        catalogue.add("/c/liba.so".into(), "1".into(), again.clone());
        assert_eq!((catalogue.entries().len(), catalogue.warnings().len()), (3, 1));
        catalogue.add("/c/liba.so".into(), "changed".into(), again);
        assert_eq!(catalogue.entries().len(), 3);
        assert!(catalogue.warnings()[1].contains("the second is ignored"));
    }

    #[test]
    fn a_name_that_is_not_there_is_mended() {
        let catalogue = catalogue();
        let error = |kind, name| catalogue.find(kind, name).unwrap_err().to_string();
        assert!(
            error(Kind::BackgroundGenerator, "procedual-scene")
                .contains("did you mean \"procedural-scene\"?")
        );
        assert!(
            error(Kind::BackgroundGenerator, "words")
                .contains("is a prompt-generator, not a background-generator")
        );
        assert!(error(Kind::PromptGenerator, "xyz").contains("there are words"));
        assert!(error(Kind::RewardModel, "judge").contains("none was found; searched /plugins"));
        assert!(catalogue.find_any("scenes").is_ok_and(|found| found.len() == 2));
    }
}
