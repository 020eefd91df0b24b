//! `adeval data`: public data sets into adeval's tables, tables looked at, and tables split without leaks.

mod check;
mod import;
mod leaks;
mod split;

pub use check::CheckedFile;
pub use import::ImportResult;
pub use split::SplitManifest;

use super::Session;
use super::exit::{Finish, Stop};
use clap::Subcommand;

#[derive(Subcommand)]
pub enum DataCommand {
    /// Read a public data set in its own layout, and write it as one of adeval's tables.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// What is in a table, what is wrong with it, and what is odd.
    Check(check::CheckArgs),
    /// Split a table by product or by time, and look for leaks between the parts.
    Split(split::SplitArgs),
}

pub fn run(command: &DataCommand, session: Session) -> Result<Finish, Stop> {
    match command {
        DataCommand::Import(command) => import::run(command, session),
        DataCommand::Check(args) => check::run(args, session),
        DataCommand::Split(args) => split::run(args, session),
    }
}
