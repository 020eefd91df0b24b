//! `adeval power ctr`: impressions of an A/B test of click-through rates.

use super::{Answers, GoalArgs, GroupArgs, PowerResult, count, inflated, percent};
use crate::cli::exit::Stop;
use crate::cli::output;
use adeval_eval::statistics::power::{Goal, detectable_rise, trials_per_arm};
use serde::{Deserialize, Serialize};

const EXAMPLES: &str = "\
Two arms get as many impressions each, one with the creatives of today at the rate --base. A rise
is relative: 0.05 over a base of 2% is 2.1%. Impressions of one user resemble each other;
--group-size and --correlation say how much, and multiply what is needed by 1 + (size - 1) x
correlation.

Examples:
  adeval power ctr --base 0.02                              # what common rises need
  adeval power ctr --base 0.02 --rise 0.05 --power 0.9
  adeval power ctr --base 0.02 --impressions 100000,1e6     # the smallest rise that so many show
  adeval power ctr --base 0.02 --rise 0.05 --group-size 8 --correlation 0.02";

/// Relative rises that are shown when none is asked for.
const USUAL: [f64; 6] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CtrArgs {
    /// Click-through rate of the arm that is there, in (0, 1).
    #[arg(long, value_name = "CTR")]
    base: f64,
    /// Relative rises to be found; -0.05 is a fall by 5%.
    #[arg(
        long,
        value_name = "SHARE",
        value_delimiter = ',',
        allow_hyphen_values = true,
        conflicts_with = "impressions"
    )]
    rise: Vec<f64>,
    /// Impressions that each arm gets.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    impressions: Vec<f64>,
    #[command(flatten)]
    groups: GroupArgs,
    #[command(flatten)]
    goal: GoalArgs,
}

/// A rise with the impressions that show it.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CtrRow {
    /// Rate of the arm that is there.
    pub base: f64,
    /// Rate of the other arm; absent when not even a rate of 1 would be told from the base.
    pub rate: Option<f64>,
    /// Relative rise: `rate` / `base` - 1.
    pub rise: Option<f64>,
    /// Impressions that each arm needs or gets.
    pub impressions: u64,
}

pub fn answer(args: &CtrArgs) -> Result<PowerResult, Stop> {
    let (goal, base) = (args.goal.goal(), args.base);
    if !(base > 0.0 && base < 1.0) {
        let hint = if (1.0..=100.0).contains(&base) {
            format!("; {base}% is {}", base / 100.0)
        } else {
            String::new()
        };
        return Err(Stop::new(format!("--base is {base}; a click-through rate lies in (0, 1){hint}")));
    }
    let effect = args.groups.design_effect()?;
    let mut rows = Vec::new();
    if args.impressions.is_empty() {
        let asked = !args.rise.is_empty();
        let rises = if asked { &args.rise[..] } else { &USUAL };
        // A common rise that a high base has no room for is left out; one that was asked for is refused.
        for &rise in rises.iter().filter(|rise| asked || base * (1.0 + *rise) <= 1.0) {
            rows.push(needed(base, rise, effect, goal)?);
        }
    }
    for &impressions in &args.impressions {
        rows.push(seen(base, impressions, effect, goal)?);
    }
    let mut notes = Vec::new();
    if effect > 1.0 {
        notes.push(format!("impressions are multiplied by {effect:.3} for those that come in groups"));
    } else {
        notes.push(
            "for independent impressions; those of one user are not: see --group-size and --correlation"
                .into(),
        );
    }
    Ok(PowerResult { level: goal.level, power: goal.power, answers: Answers::Ctr(rows), notes })
}

fn needed(base: f64, rise: f64, effect: f64, goal: Goal) -> Result<CtrRow, Stop> {
    let rate = base * (1.0 + rise);
    if rise == 0.0 || !(0.0..=1.0).contains(&rate) {
        return Err(Stop::new(format!(
            "--rise is {rise}: from {base} that leads to {rate}; it must not be 0 and must lead to a rate in [0, 1]"
        )));
    }
    let impressions = inflated(trials_per_arm(base, rate, goal)?, effect);
    Ok(CtrRow { base, rate: Some(rate), rise: Some(rise), impressions })
}

fn seen(base: f64, impressions: f64, effect: f64, goal: Goal) -> Result<CtrRow, Stop> {
    if !(impressions >= 2.0 && impressions.fract() == 0.0 && impressions <= 1e15) {
        return Err(Stop::new(format!(
            "--impressions is {impressions}; it must be a whole number from 2 to 1e15"
        )));
    }
    let rise = detectable_rise(base, (impressions / effect).floor() as u64, goal)?;
    let impressions = impressions as u64;
    Ok(CtrRow { base, rate: rise.map(|r| base + r), rise: rise.map(|r| r / base), impressions })
}

pub fn table(rows: &[CtrRow]) -> String {
    let dash = |value: Option<f64>| value.map_or_else(|| "-".into(), percent);
    let signed = |rise: f64| format!("{}{}", if rise > 0.0 { "+" } else { "" }, percent(rise));
    let row = |r: &CtrRow| {
        let rise = r.rise.map_or_else(|| "-".into(), signed);
        [percent(r.base), rise, dash(r.rate), count(r.impressions)]
    };
    output::table(["BASE CTR", "RISE", "NEW CTR", "IMPRESSIONS AN ARM"], rows.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_so_many_impressions_see_needs_so_many() {
        for impressions in [1e4, 1e6] {
            let row = seen(0.02, impressions, 1.0, Goal::default()).unwrap();
            let back = needed(0.02, row.rise.unwrap() * (1.0 + 1e-9), 1.0, Goal::default()).unwrap();
            assert!((back.impressions as f64 / impressions - 1.0).abs() < 2e-3, "{row:?} {back:?}");
        }
        assert_eq!(seen(0.9, 4.0, 1.0, Goal::default()).unwrap().rate, None);
        let (one, many) = (needed(0.02, 0.1, 1.0, Goal::default()), needed(0.02, 0.1, 1.14, Goal::default()));
        assert_eq!(many.unwrap().impressions, inflated(one.unwrap().impressions, 1.14));
    }
}
