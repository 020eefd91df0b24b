//! `adeval eval`: from a team's own logs to numbers with intervals.

mod compare;
mod ope;
mod pairs;
mod ranking;
pub(super) mod source;
pub(super) mod text;

pub use compare::CompareResult;
pub use ope::OpeResult;
pub use pairs::PairsResult;
pub use ranking::RankingResult;

use super::Session;
use super::exit::{Finish, Stop};
use adeval_eval::EvalError;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum EvalCommand {
    /// How good is a reward model? Its answers about pairs of creatives against the clicks that these got.
    Pairs(pairs::PairsArgs),
    /// What would another policy have earned? Off-policy value from a log with propensities, and which policy to ship.
    Ope(ope::OpeArgs),
    /// Which entries win, how strongly, and do judges agree? From a file of judgements about pairs.
    Compare(compare::CompareArgs),
    /// Which creative of a product should be shown? Scores of models and bandits on clicks and impressions.
    Ranking(ranking::RankingArgs),
}

pub fn run(command: &EvalCommand, session: Session) -> Result<Finish, Stop> {
    match command {
        EvalCommand::Pairs(args) => pairs::run(args, session),
        EvalCommand::Ope(args) => ope::run(args, session),
        EvalCommand::Compare(args) => compare::run(args, session),
        EvalCommand::Ranking(args) => ranking::run(args, session),
    }
}

impl From<EvalError> for Stop {
    fn from(error: EvalError) -> Self {
        Self::new(error.to_string())
    }
}
