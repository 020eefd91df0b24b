//! `adeval plugin install`: puts a plugin where adeval looks for plugins.

use super::summary;
use crate::cli::Session;
use crate::cli::exit::{Finish, Stop};
use crate::cli::output;
use crate::plugin::{Discovery, DiscoveryOptions, user_directory};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct InstallArgs {
    /// The plugin's library.
    file: PathBuf,
    /// The folder to put it into [default: the user's own, where adeval always looks].
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Replace a library of the same file name.
    #[arg(long)]
    force: bool,
}

pub fn run(args: &InstallArgs, session: Session) -> Result<Finish, Stop> {
    let options = DiscoveryOptions {
        directories: vec![args.file.clone()],
        standard_places: false,
        ..DiscoveryOptions::default()
    };
    // Only what a worker could load and ask is installed: a broken library would be a warning in every list.
    let catalogue = Discovery::new(options).scan();
    if let Some(failure) = catalogue.failures().first() {
        return Err(failure.error.clone().into());
    }
    let folder = args.into.clone().or_else(user_directory).ok_or_else(|| {
        Stop::new("there is no user's folder for plugins (HOME is not set)").help("name one with --into DIR")
    })?;
    let name = args.file.file_name().ok_or_else(|| Stop::new("the library has no file name"))?;
    let place = folder.join(name);
    if place.exists() && !args.force {
        return Err(Stop::new(format!("{} is there already", place.display())).help("--force replaces it"));
    }
    copy(&args.file, &place).map_err(|error| Stop::new(format!("{}: {error}", place.display())))?;
    if session.json {
        let components: Vec<_> = catalogue.entries().iter().map(summary).collect();
        return output::print_json(&json!({ "installed": place, "components": components }));
    }
    let ids: Vec<&str> = catalogue.entries().iter().map(|entry| entry.component.info.id.as_str()).collect();
    output::print(&format!("{} is installed, with {}", place.display(), ids.join(", ")))
}

/// Copies beside the place first: a process may have the old file loaded, and must not see it change.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let beside = tempfile::NamedTempFile::new_in(folder)?;
    std::fs::copy(from, beside.path())?;
    beside.persist(to).map_err(|error| error.error)?;
    Ok(())
}
