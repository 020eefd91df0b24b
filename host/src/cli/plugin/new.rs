//! `adeval plugin new`: a crate to start from.

use crate::cli::Session;
use crate::cli::exit::{Finish, Stop};
use crate::cli::output;
use crate::scaffold::{Created, NewPlugin, ScaffoldError, Sdk, check_name};
use adeval_sdk::Kind;
use clap::builder::PossibleValuesParser;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  adeval plugin new --kind background-generator dusk-background
  adeval plugin new --kind reward-model taste --path plugins/taste --sdk ../adeval

The crate builds, passes its own tests and, but for an RL optimizer, can be in a bench as it is.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct NewArgs {
    /// Name of the crate and of its component: lower-case words with '-' between them.
    name: String,
    /// What the component is.
    #[arg(long, value_parser = PossibleValuesParser::new(Kind::ALL.map(Kind::name)))]
    kind: String,
    /// Folder of the crate, which must not exist; NAME in this folder when absent.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Where the sdk is: a clone of adeval, or a version of a registry. When absent, the clone above this folder, the new
    /// crate or this program.
    #[arg(long, value_name = "PATH|VERSION")]
    sdk: Option<String>,
}

impl From<ScaffoldError> for Stop {
    fn from(error: ScaffoldError) -> Self {
        Self::new(error.message).help(error.mend)
    }
}

pub fn run(args: &NewArgs, session: Session) -> Result<Finish, Stop> {
    check_name(&args.name)?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == args.kind);
    let kind = kind.ok_or_else(|| Stop::new(format!("there is no kind \"{}\"", args.kind)))?;
    let directory = args.path.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let sdk = match &args.sdk {
        Some(text) => Sdk::named(text)?,
        None => Sdk::find(&directory)?,
    };
    let plugin = NewPlugin { kind, name: args.name.clone(), directory, sdk };
    let created = plugin.create()?;
    let next = next(&plugin);
    if session.json {
        return output::print_json(&json!({
            "name": plugin.name,
            "kind": kind,
            "directory": created.directory,
            "files": created.files,
            "library": plugin.built_file(),
            "next": next,
        }));
    }
    output::print(&page(&plugin, &created, &next))?;
    if let Some(folder) = &created.missing_products {
        output::warn(&format!(
            "no products were found; put cut-outs into {} before the bench, or name others in suite.toml",
            folder.display()
        ));
    }
    Ok(Finish::Done)
}

fn page(plugin: &NewPlugin, created: &Created, next: &[String; 3]) -> String {
    let bold = anstyle::Style::new().bold();
    format!(
        "{bold}{}{bold:#}, {}, is in {}: {} files; README.md says where to change what.\n\nNext:\n\n  {}\n",
        plugin.name,
        plugin.described(),
        plugin.directory.display(),
        created.files.len(),
        next.join("\n  ")
    )
}

/// The next three commands.
fn next(plugin: &NewPlugin) -> [String; 3] {
    let adeval = program();
    let last = match plugin.kind {
        Kind::ImageEmbedder | Kind::RlOptimizer => {
            format!("{adeval} bench suite.toml --plugins target/release")
        }
        _ => format!("{adeval} bench suite.toml --plugins target/release --limit 2"),
    };
    [
        format!("cd {}", shell_word(&plugin.directory.display().to_string())),
        "cargo test --release && cargo build --release".into(),
        last,
    ]
}

/// How to call this program from another folder: by its name if it was found by that, else by its path.
fn program() -> String {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    match std::env::current_exe() {
        Ok(path) if called.components().count() > 1 => shell_word(&path.display().to_string()),
        _ => "adeval".into(),
    }
}

/// A word that a shell takes as one.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/-_.+,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn odd_folders_are_quoted_for_a_shell() {
        assert_eq!(shell_word("plugins/dusk-sky"), "plugins/dusk-sky");
        assert_eq!(shell_word("my plugins/it's"), "'my plugins/it'\\''s'");
    }
}
