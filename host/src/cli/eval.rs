//! `adeval eval`: from a team's own logs and pictures to numbers with intervals.

mod compare;
mod consistency;
mod features;
mod fid;
mod ope;
mod pairs;
mod ranking;
mod set;
mod slates;
pub(super) mod source;
pub(super) mod text;

pub use compare::CompareResult;
pub use consistency::ConsistencyResult;
pub use features::FeaturesResult;
pub use fid::FidResult;
pub use ope::OpeResult;
pub use pairs::PairsResult;
pub use ranking::RankingResult;
pub use slates::SlatesResult;

use super::Session;
use super::exit::{Finish, Stop};
use adeval_eval::EvalError;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum EvalCommand {
    /// How near are two sets of pictures? FID or another encoder's Fréchet distance, kernel distance, precision and recall.
    Fid(fid::FidArgs),
    /// Is it still the same product, and can the creatives be used? Pixels, marks, outline, seam and place, with a verdict.
    Consistency(consistency::ConsistencyArgs),
    /// Features of pictures, in a file that this program and Python read.
    Features(features::FeaturesArgs),
    /// How good is a reward model? Its answers about pairs of creatives against the clicks that these got.
    Pairs(pairs::PairsArgs),
    /// What would another policy have earned? Off-policy value from a log with propensities, and which policy to ship.
    Ope(ope::OpeArgs),
    /// What would another policy have earned with slates, several positions shown at once? From a log with propensities.
    Slates(slates::SlatesArgs),
    /// Which entries win, how strongly, and do judges agree? From a file of judgements about pairs.
    Compare(compare::CompareArgs),
    /// Which creative of a product should be shown? Scores of models and bandits on clicks and impressions.
    Ranking(ranking::RankingArgs),
}

pub fn run(command: &EvalCommand, session: Session) -> Result<Finish, Stop> {
    match command {
        EvalCommand::Fid(args) => fid::run(args, session),
        EvalCommand::Consistency(args) => consistency::run(args, session),
        EvalCommand::Features(args) => features::run(args, session),
        EvalCommand::Pairs(args) => pairs::run(args, session),
        EvalCommand::Ope(args) => ope::run(args, session),
        EvalCommand::Slates(args) => slates::run(args, session),
        EvalCommand::Compare(args) => compare::run(args, session),
        EvalCommand::Ranking(args) => ranking::run(args, session),
    }
}

impl From<EvalError> for Stop {
    fn from(error: EvalError) -> Self {
        Self::new(error.to_string())
    }
}
