//! `adeval models`: checkpoints on this machine and on the Hugging Face hub.

mod info;
mod list;
mod pull;
mod verify;

use super::Session;
use super::exit::{Finish, Stop};
use adeval_checkpoints::{CheckpointError, Hub};
use clap::Subcommand;

const PLACES: &str = "\
A path that exists goes first; then the cache of the Hugging Face hub, which adeval shares with
Python (HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub). Only `pull` uses the
network; it takes the token from HF_TOKEN or from the file that `hf auth login` writes, and
another hub from HF_ENDPOINT. HF_HUB_OFFLINE=1 forbids the network.";

#[derive(Subcommand)]
pub enum ModelsCommand {
    /// List the models in the hub's cache and in folders of your own.
    List(list::ListArgs),
    /// Download a model of the hub into the cache that adeval shares with Python; shows what it will fetch first.
    Pull(pull::PullArgs),
    /// Read every byte of a model: are its files whole, its sums right, its values finite?
    Verify(verify::VerifyArgs),
    /// Say what a path or a model is, whose licence it is under, and what loading it takes.
    Info(info::InfoArgs),
}

pub fn run(command: &ModelsCommand, session: Session) -> Result<Finish, Stop> {
    match command {
        ModelsCommand::List(args) => list::run(args, session),
        ModelsCommand::Pull(args) => pull::run(args, session),
        ModelsCommand::Verify(args) => verify::run(args, session),
        ModelsCommand::Info(args) => info::run(args, session),
    }
}

impl From<CheckpointError> for Stop {
    fn from(error: CheckpointError) -> Self {
        Self::new(error.message()).help(error.mend())
    }
}

/// The local path of what a user named.
fn find(name: &str) -> Result<std::path::PathBuf, Stop> {
    Ok(Hub::from_env().find(name)?)
}
