//! `adeval power`: how large must a study be, and what can one of this size see?

mod ctr;
mod judges;
mod run;
mod win_rate;

use super::Session;
use super::eval::source::show;
use super::eval::text;
use super::exit::{Finish, Stop};
use adeval_eval::statistics::power::{Goal, design_effect};
use clap::Subcommand;
use serde::{Deserialize, Serialize};

pub use ctr::CtrRow;
pub use judges::JudgesRow;
pub use run::RunRow;
pub use win_rate::WinRateRow;

#[derive(Subcommand)]
pub enum PowerCommand {
    /// Products that a win rate needs to be told from 50%, or the smallest one that so many products show.
    WinRate(win_rate::WinRateArgs),
    /// Impressions an arm for a rise of click-through rate in an A/B test, or the smallest rise that so many show.
    Ctr(ctr::CtrArgs),
    /// Pairs of creatives to tell the accuracies of two reward models apart, by McNemar's test.
    Judges(judges::JudgesArgs),
    /// What a finished bench run can see, and how many products its entries would need to be told apart.
    Run(run::RunArgs),
}

/// What a study is to achieve.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Goal")]
pub struct GoalArgs {
    /// Confidence level of the two-sided test.
    #[arg(long, default_value_t = 0.95)]
    level: f64,
    /// Chance to find an effect that is there.
    #[arg(long, default_value_t = 0.8)]
    power: f64,
}

impl GoalArgs {
    fn goal(self) -> Goal {
        Goal { level: self.level, power: self.power }
    }
}

/// Observations that come in groups say less than as many independent ones.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Groups")]
pub struct GroupArgs {
    /// Observations that come together: impressions a user, pairs a product.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    group_size: f64,
    /// How they correlate within a group, in [0, 1].
    #[arg(long, value_name = "RHO", default_value_t = 0.0)]
    correlation: f64,
}

impl GroupArgs {
    fn design_effect(self) -> Result<f64, Stop> {
        Ok(design_effect(self.group_size, self.correlation)?)
    }
}

/// What `adeval power --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PowerResult {
    /// Confidence level of the two-sided test.
    pub level: f64,
    /// Chance to find an effect that is there.
    pub power: f64,
    /// The question with its answers.
    #[serde(flatten)]
    pub answers: Answers,
    /// What to mind.
    pub notes: Vec<String>,
}

/// Answers by the subcommand's question.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "question", content = "rows", rename_all = "snake_case")]
pub enum Answers {
    /// Products for a win rate.
    WinRate(Vec<WinRateRow>),
    /// Impressions for a rise of CTR.
    Ctr(Vec<CtrRow>),
    /// Pairs for two reward models.
    Judges(Vec<JudgesRow>),
    /// Products for the entries of a run.
    Run(Vec<RunRow>),
}

pub fn run(command: &PowerCommand, session: Session) -> Result<Finish, Stop> {
    let result = match command {
        PowerCommand::WinRate(args) => win_rate::answer(args),
        PowerCommand::Ctr(args) => ctr::answer(args),
        PowerCommand::Judges(args) => judges::answer(args),
        PowerCommand::Run(args) => run::answer(args),
    }?;
    show(&result, page, session)?;
    Ok(Finish::Done)
}

fn page(result: &PowerResult) -> String {
    let table = match &result.answers {
        Answers::WinRate(rows) => win_rate::table(rows),
        Answers::Ctr(rows) => ctr::table(rows),
        Answers::Judges(rows) => judges::table(rows),
        Answers::Run(rows) => run::table(rows),
    };
    let head = format!(
        "Two-sided test at the {}% level, found with a chance of {}%\n\n",
        plain(100.0 * result.level),
        plain(100.0 * result.power)
    );
    head + &table + &text::notes(&result.notes)
}

/// A number with as many digits as it needs, at most six of them behind the point.
fn plain(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share as a percentage with up to three digits that say something.
fn percent(value: f64) -> String {
    let percentage = 100.0 * value;
    let digits = if percentage.abs() < 1.0 { 4 } else { 2 };
    format!("{percentage:.digits$}%")
}

/// A count with its thousands apart: `1,234,567`.
fn count(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|g| str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// Rounds up what a design effect asks for.
fn inflated(size: u64, effect: f64) -> u64 {
    (size as f64 * effect).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([plain(95.0), plain(99.9), plain(0.05)], ["95", "99.9", "0.05"]);
        assert_eq!([count(7), count(1000), count(1_234_567)], ["7", "1,000", "1,234,567"]);
        assert_eq!([percent(0.0005), percent(0.5)], ["0.0500%", "50.00%"]);
    }
}
