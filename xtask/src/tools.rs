//! Programs that are not part of Rust: found, or installed below the target folder, at a pinned version.

use crate::cargo;
use crate::steps::Notices;
use anstream::eprintln;
use anyhow::{Result, bail, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program and where it comes from.
pub struct Tool {
    /// Name of the executable.
    pub program: &'static str,
    /// The one version that is used.
    pub version: &'static str,
    /// The Rust package to compile: minutes.
    pub package: &'static str,
    /// A Python package that holds the executable, if there is one: seconds, but Python may be missing.
    pub wheel: Option<&'static str>,
}

/// What a check gives without its tool: a notice for people; for CI, which must not pass unchecked, an error.
pub fn without(subject: &str, why: &anyhow::Error) -> Result<Notices> {
    without_in(std::env::var("CI").ok().as_deref(), subject, why)
}

fn without_in(ci: Option<&str>, subject: &str, why: &anyhow::Error) -> Result<Notices> {
    ensure!(matches!(ci, None | Some("" | "0" | "false")), "not checked, {subject}: {why:#}");
    Ok(vec![format!("NOT checked, {subject}: {why:#}")])
}

impl Tool {
    /// The program: from `PATH` or an earlier call, else installed under `target/tools`.
    ///
    /// # Errors
    /// If neither pip nor cargo can install it.
    pub fn locate_or_install(&self, target: &Path) -> Result<PathBuf> {
        let root = target.join("tools").join(format!("{}-{}", self.program, self.version));
        let installed = root.join("bin").join(self.program).with_extension(std::env::consts::EXE_EXTENSION);
        let places = [installed.clone(), PathBuf::from(self.program)];
        if let Some(found) = places.into_iter().find(|place| self.is_right(place.as_os_str())) {
            return Ok(found);
        }
        eprintln!(
            "installing {} {} into {}; once, and it may take minutes",
            self.program,
            self.version,
            root.display()
        );
        if self.install(&root, &installed) {
            return Ok(installed);
        }
        bail!(
            "{} {} is not here and could not be installed (is there a network, and a registry that has it?)",
            self.program,
            self.version
        )
    }

    fn install(&self, root: &Path, installed: &Path) -> bool {
        let works = || self.is_right(installed.as_os_str());
        let by_pip =
            |wheel| ["python3", "python"].iter().any(|python| pip(python, wheel, self.version, root));
        self.wheel.is_some_and(|wheel| by_pip(wheel) && works()) || (self.cargo_install(root) && works())
    }

    fn cargo_install(&self, root: &Path) -> bool {
        let mut install = Command::new(cargo::program());
        install.args(["install", "--locked", "--quiet", "--root"]).arg(root);
        install.arg(format!("{}@{}", self.package, self.version));
        // Its own folder, which goes away: its dependencies are not ours.
        install.env_remove("CARGO_TARGET_DIR");
        cargo::run(&mut install).inspect_err(|error| eprintln!("  {error:#}")).is_ok()
    }

    fn is_right(&self, program: &OsStr) -> bool {
        let said = cargo::probe(Command::new(program).arg("--version"));
        said.is_some_and(|said| said.split_whitespace().any(|word| word == self.version))
    }
}

/// `--target` keeps the package out of the user's own Python, and works without venv.
fn pip(python: &str, wheel: &str, version: &str, root: &Path) -> bool {
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--target",
    ]);
    pip.arg(root).arg(format!("{wheel}=={version}"));
    cargo::run(&mut pip).inspect_err(|error| eprintln!("  {error:#}; trying another way")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_does_not_pass_without_a_tool_and_people_are_told() {
        let why = anyhow::anyhow!("no network");
        assert!(without_in(Some("true"), "the spelling", &why).is_err());
        for outside in [None, Some(""), Some("false")] {
            let notices = without_in(outside, "the spelling", &why).unwrap();
            assert_eq!(notices, ["NOT checked, the spelling: no network"]);
        }
    }

    #[test]
    fn only_the_pinned_version_counts() {
        let said = cargo::probe(Command::new(cargo::program()).arg("--version")).unwrap();
        let version: &str = said.split_whitespace().nth(1).unwrap().to_owned().leak();
        let tool = |version| Tool { program: "cargo", version, package: "cargo", wheel: None };
        assert!(tool(version).is_right(&cargo::program()));
        assert!(!tool("0.0.1").is_right(&cargo::program()));
        assert!(!tool(version).is_right(OsStr::new("/no/such/program")));
    }
}
