//! `cargo xtask check-cuda`: whether everything that has a `cuda` feature compiles with it, kernels included, without a GPU.

use crate::cargo;
use crate::plugins::PluginCrate;
use crate::workspace::Workspace;
use anstream::eprintln;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The parts of NVIDIA's toolkit that candle's kernels are compiled with, as Python packages.
const TOOLKIT: &str = "cuda-toolkit[nvcc,crt,nvvm,cudart,cccl,curand,cublas,nvrtc]==13.0.*";

/// Kernels are compiled for this generation (Hopper) where no GPU tells its own.
const COMPUTE_CAP: &str = "90";

/// Checks libraries, tests and examples. Nothing is linked: that would need the driver.
pub fn check(workspace: &Workspace) -> Result<()> {
    let toolkit = Toolkit::find_or_install(workspace)?;
    let mut check = cargo::command(workspace, "check --release --all-targets");
    for PluginCrate { name, .. } in PluginCrate::all(workspace)?.iter().filter(|plugin| plugin.has_cuda()) {
        check.args(["--package", name, "--features", &format!("{name}/cuda")]);
    }
    cargo::run(toolkit.apply(&mut check, COMPUTE_CAP)).context("the cuda feature does not compile")
}

/// A CUDA toolkit: a folder with `bin/nvcc`, `include` and `lib64`.
pub struct Toolkit {
    home: PathBuf,
    build: PathBuf,
}

impl Toolkit {
    /// The one of `CUDA_HOME`, or of an earlier call, else installed under `target/tools`.
    ///
    /// # Errors
    /// If there is none and pip cannot install it.
    pub fn find_or_install(workspace: &Workspace) -> Result<Self> {
        let build = workspace.target().join("cuda");
        if let Some(home) = std::env::var_os("CUDA_HOME").map(PathBuf::from) {
            ensure!(nvcc(&home).is_file(), "CUDA_HOME is {}, where there is no bin/nvcc", home.display());
            return Ok(Self { home, build });
        }
        let folder = workspace.target().join("tools/cuda-13.0");
        let home = folder.join("nvidia/cu13");
        if !nvcc(&home).is_file() {
            install(&folder)?;
        }
        complete(&home).with_context(|| format!("{} cannot be completed", home.display()))?;
        Ok(Self { home, build })
    }

    /// Lets a cargo command find the toolkit, and write to a folder of its own: other features of the same dependencies would
    /// evict what every other command has built.
    pub fn apply<'a>(&self, command: &'a mut Command, compute_cap: &str) -> &'a mut Command {
        let libraries = self.home.join("lib64");
        command
            .env("CUDA_HOME", &self.home)
            .env("CUDA_PATH", &self.home)
            .env("NVCC", nvcc(&self.home))
            .env("CUDA_COMPUTE_CAP", compute_cap)
            .env("CARGO_TARGET_DIR", &self.build)
            .env("PATH", prepended("PATH", &self.home.join("bin")))
            .env("LD_LIBRARY_PATH", prepended("LD_LIBRARY_PATH", &libraries))
            .env("LIBRARY_PATH", prepended("LIBRARY_PATH", &libraries))
    }
}

fn nvcc(home: &Path) -> PathBuf {
    home.join("bin/nvcc").with_extension(std::env::consts::EXE_EXTENSION)
}

/// A path variable with one more folder at its head.
fn prepended(variable: &str, folder: &Path) -> std::ffi::OsString {
    let old = std::env::var_os(variable).unwrap_or_default();
    let all = std::iter::once(folder.to_owned())
        .chain(std::env::split_paths(&old).filter(|path| !path.as_os_str().is_empty()));
    std::env::join_paths(all).unwrap_or(old)
}

fn install(folder: &Path) -> Result<()> {
    eprintln!(
        "installing the CUDA toolkit (1.2 GB) into {}; once, and it may take minutes",
        folder.display()
    );
    let pip = |python: &str| {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--only-binary", ":all:", "--target"]);
        cargo::run(pip.arg(folder).arg(TOOLKIT))
    };
    pip("python3").or_else(|_| pip("python")).context(
        "there is no CUDA toolkit and pip could not install one: set CUDA_HOME to one of version 12 or 13",
    )
}

/// The packages name libraries by their versions and have no `lib64`, where linkers look.
fn complete(home: &Path) -> std::io::Result<()> {
    let lib = home.join("lib");
    for entry in fs::read_dir(&lib)? {
        let name = entry?.file_name();
        let Some((plain, _)) = name.to_str().and_then(|name| name.split_once(".so.")) else { continue };
        link(Path::new(&name), &lib.join(format!("{plain}.so")))?;
    }
    link(Path::new("lib"), &home.join("lib64"))
}

/// A symbolic link, unless something is there already.
fn link(to: &Path, at: &Path) -> std::io::Result<()> {
    if at.symlink_metadata().is_ok() {
        return Ok(());
    }
    #[cfg(unix)]
    return std::os::unix::fs::symlink(to, at);
    #[cfg(not(unix))]
    Err(std::io::Error::other(format!("{} must be made by hand, from {}", at.display(), to.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_tree_becomes_one_that_linkers_know() {
        let home = tempfile::tempdir().unwrap();
        let lib = home.path().join("lib");
        fs::create_dir(&lib).unwrap();
        for name in ["libcublas.so.13", "libcudart_static.a"] {
            fs::write(lib.join(name), name).unwrap();
        }
        // Twice: a toolkit that is there is looked at again.
        complete(home.path()).unwrap();
        complete(home.path()).unwrap();
        assert_eq!(fs::read(home.path().join("lib64/libcublas.so")).unwrap(), b"libcublas.so.13");
        assert_eq!(fs::read_dir(&lib).unwrap().count(), 3);
    }
}
