//! `adeval power judges`: pairs that tell two reward models apart.

use super::{Answers, GoalArgs, GroupArgs, PowerResult, count, inflated, percent};
use crate::cli::exit::Stop;
use crate::cli::output;
use adeval_eval::statistics::power::{Goal, mcnemar_pairs};
use serde::{Deserialize, Serialize};

const EXAMPLES: &str = "\
Both models answer the same pairs, so only pairs on which one is right and the other wrong count.
How many those are is what --disagree says; without it, the table runs from models that nearly
agree to models whose mistakes have nothing to do with each other.

Examples:
  adeval power judges --first 0.562 --second 0.531
  adeval power judges --first 0.562 --second 0.531 --disagree 0.15
  adeval power judges --first 0.6 --second 0.57 --group-size 4 --correlation 0.1";

/// Shares of disagreement that are shown when none is asked for, as far as the accuracies allow them.
const USUAL: [f64; 5] = [0.05, 0.1, 0.2, 0.3, 0.4];

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct JudgesArgs {
    /// Accuracy of the first model on pairs, in [0, 1].
    #[arg(long, value_name = "ACCURACY")]
    first: f64,
    /// Accuracy of the second, another one.
    #[arg(long, value_name = "ACCURACY")]
    second: f64,
    /// Shares of pairs on which exactly one of the two is right.
    #[arg(long, value_name = "SHARE", value_delimiter = ',')]
    disagree: Vec<f64>,
    #[command(flatten)]
    groups: GroupArgs,
    #[command(flatten)]
    goal: GoalArgs,
}

/// Two accuracies with the pairs that tell them apart.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct JudgesRow {
    /// Accuracy of the first model.
    pub first: f64,
    /// Accuracy of the second.
    pub second: f64,
    /// Share of pairs on which exactly one is right.
    pub disagree: f64,
    /// Whether that is how often models disagree whose mistakes have nothing to do with each other.
    pub independent: bool,
    /// Pairs that are needed.
    pub pairs: u64,
}

pub fn answer(args: &JudgesArgs) -> Result<PowerResult, Stop> {
    let (goal, first, second) = (args.goal.goal(), args.first, args.second);
    for (name, accuracy) in [("first", first), ("second", second)] {
        if !(0.0..=1.0).contains(&accuracy) {
            return Err(Stop::new(format!("--{name} is {accuracy}; an accuracy lies in [0, 1]")));
        }
    }
    if first == second {
        return Err(Stop::new(
            "--first and --second are equal; no number of pairs tells equal accuracies apart",
        ));
    }
    let effect = args.groups.design_effect()?;
    // The shares of pairs on which one is right and the other wrong, alone and together, must all be possible.
    let (least, most) = ((first - second).abs(), (first + second).min(2.0 - first - second));
    let independent = first * (1.0 - second) + second * (1.0 - first);
    let mut rows = Vec::new();
    for &disagree in &args.disagree {
        if !(least..=most).contains(&disagree) {
            return Err(Stop::new(format!(
                "--disagree is {disagree}; models of these accuracies disagree on {least:.4} to {most:.4} of the pairs"
            )));
        }
        rows.push(needed(first, second, disagree, false, effect, goal)?);
    }
    if rows.is_empty() {
        for disagree in USUAL.into_iter().filter(|d| *d > least && *d < independent) {
            rows.push(needed(first, second, disagree, false, effect, goal)?);
        }
        rows.push(needed(first, second, independent, true, effect, goal)?);
    }
    let mut notes = vec![
        "accuracies are on pairs whose label is itself noisy; `adeval eval pairs` shows the ceiling beside them".to_owned(),
    ];
    if effect > 1.0 {
        notes.push(format!("pairs are multiplied by {effect:.3} for those of one product"));
    }
    Ok(PowerResult { level: goal.level, power: goal.power, answers: Answers::Judges(rows), notes })
}

fn needed(
    first: f64,
    second: f64,
    disagree: f64,
    independent: bool,
    effect: f64,
    goal: Goal,
) -> Result<JudgesRow, Stop> {
    let gap = first - second;
    // Rounding may leave a share of models that disagree as little as they can a hair below 0.
    let only = |sign: f64| ((disagree + sign * gap) / 2.0).max(0.0);
    let pairs = inflated(mcnemar_pairs(only(1.0), only(-1.0), goal)?, effect);
    Ok(JudgesRow { first, second, disagree, independent, pairs })
}

pub fn table(rows: &[JudgesRow]) -> String {
    let row = |r: &JudgesRow| {
        let how = if r.independent { " (independent mistakes)" } else { "" };
        [percent(r.first), percent(r.second), format!("{}{how}", percent(r.disagree)), count(r.pairs)]
    };
    output::table(["FIRST", "SECOND", "DISAGREE ON", "PAIRS"], rows.iter().map(row))
}
