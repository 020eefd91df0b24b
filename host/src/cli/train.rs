//! `adeval train`: what learns from rewards and from clicks.

mod changes;
mod compare;
mod pretrain;
mod reward;
mod rl;
mod work;

use super::Session;
use super::exit::{Finish, Stop};
use crate::train::TrainError;
use clap::Subcommand;

#[derive(Subcommand)]
pub enum TrainCommand {
    /// Train a prompt generator by a reward model's preferences: sample, render, judge, optimise, repeat.
    Rl(rl::RlArgs),
    /// Train a prompt generator by questions and answers, before any reward.
    Pretrain(pretrain::PretrainArgs),
    /// Compare trainings by rewards over several seeds: what changed, what differs, curves.
    Compare(compare::CompareArgs),
    /// Train reward models by clicks, and compare them on products that none of them saw.
    Reward(reward::RewardArgs),
}

pub fn run(command: &TrainCommand, session: Session) -> Result<Finish, Stop> {
    match command {
        TrainCommand::Rl(args) => rl::run(args, session),
        TrainCommand::Pretrain(args) => pretrain::run(args, session),
        TrainCommand::Compare(args) => compare::run(args, session),
        TrainCommand::Reward(args) => reward::run(args, session),
    }
}

impl From<TrainError> for Stop {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Bench(error) => Self::from(error),
            TrainError::Interrupted(_) => Self::interrupted(error.to_string()),
            TrainError::Component { error, user } => {
                let mut stop = Self::from(error);
                stop.prefix(&user);
                stop
            }
            TrainError::Step { error: ref inner, .. } => match inner.hint.clone() {
                Some(hint) => Self::new(error.to_string()).help(hint),
                None => Self::new(error.to_string()),
            },
            _ => Self::new(error.to_string()),
        }
    }
}
