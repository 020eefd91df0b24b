//! The crates in `plugins/`, found by their manifests: a list of them would be out of date with the next one.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;

/// A crate in `plugins/`: a plugin, or a library of plugins.
pub struct PluginCrate {
    /// The name of its package.
    pub name: String,
    manifest: String,
}

impl PluginCrate {
    /// All of them, by name.
    pub fn all(workspace: &Workspace) -> Result<Vec<Self>> {
        let folder = workspace.root().join("plugins");
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
            let path = entry?.path().join("Cargo.toml");
            let manifest =
                fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            let name = manifest.lines().find_map(|line| line.strip_prefix("name = "));
            let name = name.with_context(|| format!("{} has no name", path.display()))?.trim_matches('"');
            found.push(Self { name: name.to_owned(), manifest });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Whether it can be compiled for NVIDIA GPUs.
    pub fn has_cuda(&self) -> bool {
        self.manifest.lines().any(|line| line.starts_with("cuda = "))
    }

    /// The file name of the library that a host loads, if it is a plugin.
    pub fn library(&self) -> Option<String> {
        use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
        let is_plugin =
            self.manifest.lines().any(|line| line.starts_with("crate-type") && line.contains("cdylib"));
        is_plugin.then(|| format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.name.replace('-', "_")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_and_their_libraries_are_told_apart() {
        let all = PluginCrate::all(&Workspace::find().unwrap()).unwrap();
        let of = |name: &str| all.iter().find(|plugin| plugin.name == name).unwrap();
        assert!(of("sd-background").has_cuda() && !of("template-prompt").has_cuda());
        assert!(of("sd-background").library().unwrap().contains("sd_background."));
        assert_eq!(of("adeval-models").library(), None);
    }
}
