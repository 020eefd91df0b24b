//! Where things are. Nobody is asked: cargo put this program where it puts the others, from a known source.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The folders that steps work in.
pub struct Workspace {
    root: PathBuf,
    built: PathBuf,
}

impl Workspace {
    /// The workspace that xtask was built from.
    pub fn find() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().context("xtask has no folder above it")?.to_owned();
        let program = std::env::current_exe().context("this program cannot be found")?;
        let built = program.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
        Ok(Self { root, built: built.context("this program lies in no folder")?.to_owned() })
    }

    /// The folder of the workspace's Cargo.toml.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo writes; `CARGO_TARGET_DIR` when it is set.
    pub fn target(&self) -> &Path {
        self.built.parent().unwrap_or(&self.built)
    }

    /// A built program.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.built.join(name).with_extension(std::env::consts::EXE_EXTENSION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_has_the_workspace_and_the_target_folder_what_was_built() {
        let workspace = Workspace::find().unwrap();
        let manifest = std::fs::read_to_string(workspace.root().join("Cargo.toml")).unwrap();
        assert!(manifest.starts_with("[workspace]"));
        assert!(std::env::current_exe().unwrap().starts_with(workspace.target()));
        let folder = workspace.binary("adeval").parent().unwrap().to_owned();
        assert!(folder.join("deps").is_dir(), "{}", folder.display());
    }
}
