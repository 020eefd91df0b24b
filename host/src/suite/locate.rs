//! Where the files are that come with adeval.

use std::path::{Path, PathBuf};

/// The suite that comes with adeval, inside a clone or an unpacked archive.
const DEFAULT: &str = "fixtures/suites/default.toml";

/// Looks for the default suite.
pub fn find_default() -> Option<PathBuf> {
    find_shipped(DEFAULT)
}

/// Looks for a file of a clone or an archive in this folder and those above it, then in those above the program.
pub fn find_shipped(name: &str) -> Option<PathBuf> {
    let here = std::env::current_dir().ok();
    let program = std::env::current_exe().ok();
    let above = |start: &Path| start.ancestors().map(|folder| folder.join(name)).find(|file| file.is_file());
    here.as_deref().and_then(above).or_else(|| program.as_deref().and_then(above))
}
