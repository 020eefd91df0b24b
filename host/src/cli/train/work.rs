//! What all trainings have in common on the command line: plugins, progress, a result with its place and times.

use crate::bench::Services;
use crate::cli::exit::Stop;
use crate::cli::open::PluginArgs;
use crate::cli::progress::Report;
use crate::cli::{Session, interrupt, output};
use crate::products::CutOutNetwork;
use crate::train::TrainError;
use serde::Serialize;
use serde_json::json;
use std::path::Path;

/// Trains with the plugins that there are, under a bar, until Ctrl-C.
pub fn train<R>(
    plugins: &PluginArgs,
    session: Session,
    run: impl FnOnce(&Services<'_>) -> Result<R, TrainError>,
) -> Result<R, Stop> {
    let cancel = interrupt::listen()?;
    let installed = plugins.open(cancel)?;
    let matting = CutOutNetwork::default();
    let report = Report::new(session.quiet);
    let outcome = run(&Services { plugins: &installed, matting: &matting, progress: &report, cancel });
    report.finish();
    Ok(outcome?)
}

/// Prints what came of it: for programs with its directory and seconds (all, and inside components), or as a page.
pub fn show(
    result: &impl Serialize,
    dir: &Path,
    seconds: (f64, f64),
    session: Session,
    page: impl FnOnce() -> String,
) -> Result<(), Stop> {
    if !session.json {
        return output::print(&page()).map(drop);
    }
    let mut value = serde_json::to_value(result)
        .map_err(|error| Stop::new(format!("the result cannot be written as JSON: {error}")))?;
    value["dir"] = json!(dir);
    value["wall_seconds"] = json!(seconds.0);
    value["plugin_seconds"] = json!(seconds.1);
    output::print_json(&value).map(drop)
}
