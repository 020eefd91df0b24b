//! `adeval plugin`: what is installed, and all about one of it.

mod check;
mod describe;
mod install;
mod new;

use super::Session;
use super::exit::{Finish, Stop};
use super::open::PluginArgs;
use super::output;
use crate::plugin::{Catalogue, CatalogueEntry, Discovery, DiscoveryOptions};
use adeval_sdk::{ContractVersion, Kind};
use clap::{Subcommand, builder::PossibleValuesParser};
use serde_json::{Value, json};
use std::path::Path;

#[derive(Subcommand)]
pub enum PluginCommand {
    /// List the components of all plugins that are found, and the libraries that cannot be used.
    List {
        /// Only components of this kind.
        #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::name)))]
        kind: Option<String>,
        #[command(flatten)]
        plugins: PluginArgs,
    },
    /// Check whether a plugin keeps the contract: seeds, batches, odd inputs, gradients, memory, and more.
    Check(check::CheckArgs),
    /// Show all of one component or library: parameters with their defaults and ranges, licence, devices, how exactly it
    /// repeats itself.
    Inspect {
        /// A component (`scene-background`), one of a library (`scene-background/scene-background`), a library, or the
        /// path of a library's file.
        name: String,
        #[command(flatten)]
        plugins: PluginArgs,
    },
    /// Put a plugin's library where adeval looks for plugins, after a look whether it can be used.
    Install(install::InstallArgs),
    /// Make the crate of a new plugin.
    New(new::NewArgs),
}

pub fn run(command: &PluginCommand, session: Session) -> Result<Finish, Stop> {
    match command {
        PluginCommand::List { kind, plugins } => list(&plugins.scan(), kind.as_deref(), session),
        PluginCommand::Check(args) => check::run(args, session),
        PluginCommand::Inspect { name, plugins } => inspect(name, plugins, session),
        PluginCommand::Install(args) => install::run(args, session),
        PluginCommand::New(args) => new::run(args, session),
    }
}

fn list(catalogue: &Catalogue, kind: Option<&str>, session: Session) -> Result<Finish, Stop> {
    let wanted = |entry: &&CatalogueEntry| kind.is_none_or(|kind| entry.component.kind.name() == kind);
    let mut entries: Vec<_> = catalogue.entries().iter().filter(wanted).collect();
    entries.sort_by_key(|entry| entry.component.kind);
    let finish = Finish::with_failures(!catalogue.failures().is_empty());
    if session.json {
        output::print_json(&json!({
            "components": entries.iter().map(|entry| summary(entry)).collect::<Vec<_>>(),
            "failures": catalogue.failures(),
            "warnings": catalogue.warnings(),
            "searched": catalogue.searched(),
        }))?;
        return Ok(finish);
    }
    let row = |entry: &&CatalogueEntry| {
        let component = &entry.component;
        [
            component.info.id.clone(),
            component.kind.to_string() + if component.trainable { "\n(trainable)" } else { "" },
            format!("{}\n{}", entry.manifest.library, entry.manifest.version),
            component.info.summary.clone(),
        ]
    };
    output::print(&output::table(["COMPONENT", "KIND", "LIBRARY", "WHAT IT IS"], entries.iter().map(row)))?;
    catalogue.warnings().iter().for_each(|warning| output::warn(warning));
    catalogue.failures().iter().for_each(|failure| output::warn(&failure.error.to_string()));
    if entries.is_empty() {
        let searched: Vec<_> = catalogue.searched().iter().map(|p| p.display().to_string()).collect();
        output::warn(&format!(
            "no such component was found; searched {}; name a folder with --plugins DIR",
            searched.join(", ")
        ));
    }
    Ok(finish)
}

/// What a list says of a component; [`describe`] adds its parameters.
fn summary(entry: &CatalogueEntry) -> Value {
    let ContractVersion { major, minor } = entry.manifest.contract;
    json!({
        "name": entry.component.info.id,
        "kind": entry.component.kind,
        "library": entry.manifest.library,
        "version": entry.manifest.version,
        "contract": format!("{major}.{minor}"),
        "license": entry.component.info.license,
        "trainable": entry.component.trainable,
        "summary": entry.component.info.summary,
        "path": entry.path,
        "digest": entry.digest,
    })
}

fn inspect(name: &str, plugins: &PluginArgs, session: Session) -> Result<Finish, Stop> {
    let path = Path::new(name);
    let catalogue = if path.is_file() {
        let options = DiscoveryOptions {
            directories: vec![path.to_owned()],
            standard_places: false,
            ..DiscoveryOptions::default()
        };
        Discovery::new(options).scan()
    } else {
        plugins.scan()
    };
    let found = if path.is_file() {
        if let Some(failure) = catalogue.failures().first() {
            return Err(failure.error.clone().into());
        }
        catalogue.entries().iter().collect()
    } else {
        catalogue.find_any(name)?
    };
    if session.json {
        return output::print_json(&found.iter().map(|entry| describe::json(entry)).collect::<Vec<_>>());
    }
    let texts: Vec<String> = found.iter().map(|entry| describe::text(entry)).collect();
    output::print(&texts.join("\n"))
}
