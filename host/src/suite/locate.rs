//! Where the default suite is.

use std::path::{Path, PathBuf};

/// The suite that comes with adeval, inside a clone or an unpacked archive.
const DEFAULT: &str = "fixtures/suites/default.toml";

/// Looks for the default suite in this folder and those above it, then in those above the program.
pub fn find_default() -> Option<PathBuf> {
    let here = std::env::current_dir().ok();
    let program = std::env::current_exe().ok();
    let above =
        |start: &Path| start.ancestors().map(|folder| folder.join(DEFAULT)).find(|file| file.is_file());
    here.as_deref().and_then(above).or_else(|| program.as_deref().and_then(above))
}
