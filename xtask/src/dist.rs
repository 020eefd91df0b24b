//! `cargo xtask dist`: an archive that runs where there is no Rust.

use crate::plugins::PluginCrate;
use crate::workspace::Workspace;
use crate::{cargo, code};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of the workspace that go along: what the default suite reads, what the licences ask for, and the sdk's source with
/// the lock file, so that plugins are made and built beside the unpacked archive as beside a clone.
const FILES: [&str; 16] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "docs",
    "fixtures/NOTICE.md",
    "fixtures/README.md",
    "fixtures/products",
    "fixtures/reference",
    "fixtures/recipes",
    "fixtures/suites",
    "fixtures/weights",
    "plugins/photo-background/NOTICE.md",
    "schemas",
    "sdk",
];

/// Builds everything and packs it: `adeval-VERSION-ARCH-OS/{adeval, plugins/, fixtures/, ...}`. The program finds the
/// plugins and the default suite beside itself, wherever the folder is put.
pub fn run(workspace: &Workspace) -> Result<()> {
    cargo::run(&mut code::build(workspace)).context("adeval and its plugins cannot be built")?;
    let name =
        format!("adeval-{}-{}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS);
    let dist = workspace.target().join("dist");
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be replaced", folder.display()))?;
    }
    copy(&workspace.binary("adeval"), &folder.join("adeval"))?;
    for file in PluginCrate::all(workspace)?.iter().filter_map(PluginCrate::library) {
        copy(&workspace.binary("adeval").with_file_name(&file), &folder.join("plugins").join(&file))?;
    }
    for file in FILES {
        copy(&workspace.root().join(file), &folder.join(file))?;
    }
    fs::write(folder.join("Cargo.toml"), sdk_workspace(workspace)?)?;
    let archive = pack(&dist, &name)?;
    let megabytes = fs::metadata(&archive)?.len() as f64 / 1e6;
    anstream::println!("{} ({megabytes:.0} MB)", archive.display());
    Ok(())
}

/// The manifest that the sdk's inherits from, without the members that are not in the archive.
fn sdk_workspace(workspace: &Workspace) -> Result<String> {
    let manifest = fs::read_to_string(workspace.root().join("Cargo.toml"))?;
    let inherited = manifest.find("[workspace.package]").context("Cargo.toml has no [workspace.package]")?;
    let head = "[workspace]\nresolver = \"3\"\nmembers = [\"sdk\", \"sdk/frontier\"]\n";
    Ok(format!("{head}\n{}", &manifest[inherited..]))
}

/// Copies a file or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("{} cannot be copied", from.display());
    if from.is_dir() {
        for entry in fs::read_dir(from).with_context(failed)? {
            let path = entry.with_context(failed)?.path();
            let name = path.file_name().map(PathBuf::from).unwrap_or_default();
            copy(&path, &to.join(name))?;
        }
        return Ok(());
    }
    let folder = to.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).and_then(|()| fs::copy(from, to)).with_context(failed)?;
    Ok(())
}

/// `tar` is on every system that adeval runs on, so xtask does not compile one.
fn pack(dist: &Path, name: &str) -> Result<PathBuf> {
    let archive = dist.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("-czf").arg(&archive).arg("-C").arg(dist).arg(name);
    match tar.status() {
        Ok(status) if status.success() => Ok(archive),
        Ok(status) => bail!("tar failed ({status})"),
        Err(error) => {
            bail!("tar cannot be started ({error}); install it, or use {}", dist.join(name).display())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_beside_the_archive_can_depend_on_its_sdk() {
        let (workspace, place) = (Workspace::find().unwrap(), tempfile::tempdir().unwrap());
        let (adeval, plugin) = (place.path().join("adeval"), place.path().join("plugin"));
        for file in ["Cargo.lock", "sdk"] {
            copy(&workspace.root().join(file), &adeval.join(file)).unwrap();
        }
        fs::write(adeval.join("Cargo.toml"), sdk_workspace(&workspace).unwrap()).unwrap();
        fs::create_dir_all(plugin.join("src")).unwrap();
        fs::write(plugin.join("src/lib.rs"), "").unwrap();
        copy(&adeval.join("Cargo.lock"), &plugin.join("Cargo.lock")).unwrap();
        let manifest = "[package]\nname = \"p\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n";
        let dependency = "adeval-sdk = { path = \"../adeval/sdk\" }\n";
        fs::write(plugin.join("Cargo.toml"), format!("{manifest}{dependency}")).unwrap();
        let mut tree = Command::new(cargo::program());
        tree.args(["tree", "--offline", "--depth", "1"]).current_dir(&plugin);
        let said = cargo::probe(&mut tree).expect("cargo resolves it");
        assert!(said.contains("adeval-sdk"), "{said}");
    }
}
