//! Where things are, as cargo says.

use crate::cargo;
use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use std::path::{Path, PathBuf};

/// The folders that steps work in.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    packages: Vec<String>,
}

impl Workspace {
    /// Asks cargo about the workspace that xtask was built from.
    pub fn find() -> Result<Self> {
        let metadata = MetadataCommand::new()
            .cargo_path(cargo::program())
            .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .no_deps()
            .exec()
            .context("cargo cannot read the workspace")?;
        let members = metadata.workspace_default_packages();
        let packages = members.iter().map(|package| package.name.to_string());
        let packages = packages.filter(|name| name != env!("CARGO_PKG_NAME")).collect();
        let (root, target) = (metadata.workspace_root.into(), metadata.target_directory.into());
        Ok(Self { root, target, packages })
    }

    /// The folder of the workspace's Cargo.toml.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What people use, by name: the workspace's default members, without xtask, which is running.
    pub fn packages(&self) -> &[String] {
        &self.packages
    }

    /// Where cargo writes; `CARGO_TARGET_DIR` when it is set.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// A built program.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name).with_extension(std::env::consts::EXE_EXTENSION)
    }
}
