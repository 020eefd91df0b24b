//! Options of every command that uses plugins, and what they open.

use super::exit::Stop;
use super::output;
use crate::bench::Installed;
use crate::plugin::{Catalogue, Discovery, DiscoveryOptions, Isolation, Loader};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Where plugins are and how they run.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Plugins")]
pub struct PluginArgs {
    /// A folder with plugins, or a plugin's library; may be repeated and comes before `ADEVAL_PLUGIN_PATH`, the user's
    /// folder and the program's own.
    #[arg(long = "plugins", value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Run plugins in this process: faster to call and easier to debug, but a crash ends adeval.
    #[arg(long)]
    in_process: bool,
    /// The most time that one call of a plugin may take; then its process is killed.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// The most time to start a plugin and load its weights [default: 600].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    start_timeout: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "it must be a number of seconds above 0".to_owned())
}

/// A parameter of a plugin from the command line: a JSON value, or else text.
pub fn parameter(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()))
}

impl PluginArgs {
    /// Looks for plugins.
    pub fn scan(&self) -> Catalogue {
        let directories = self.directories.clone();
        Discovery::new(DiscoveryOptions { directories, ..DiscoveryOptions::default() }).scan()
    }

    /// Looks for plugins and tells what it could not use; a place that was named must be usable. `stop`, once set, ends
    /// workers that are still starting.
    pub fn open(&self, stop: &'static AtomicBool) -> Result<Installed, Stop> {
        let catalogue = self.scan();
        let named = |path: &PathBuf| {
            self.directories.iter().any(|d| d == path || d.canonicalize().is_ok_and(|d| d == *path))
        };
        if let Some(failure) = catalogue.failures().iter().find(|failure| named(&failure.path)) {
            return Err(Stop::from(failure.error.clone()));
        }
        catalogue.failures().iter().for_each(|failure| output::warn(&failure.error.to_string()));
        catalogue.warnings().iter().for_each(|warning| output::warn(warning));
        Ok(Installed { catalogue, loader: Loader { stop: Some(stop), ..self.loader() } })
    }

    fn loader(&self) -> Loader {
        let mut loader = Loader::default();
        if self.in_process {
            loader.isolation = Isolation::InProcess;
        }
        if let Some(timeout) = self.timeout {
            loader.timeout = timeout;
        }
        if let Some(timeout) = self.start_timeout {
            loader.start_timeout = timeout;
        }
        loader
    }
}
