//! `adeval power win-rate`: one entry against another, a product a game.

use super::{Answers, GoalArgs, PowerResult, count, percent};
use crate::cli::exit::Stop;
use crate::cli::output;
use adeval_eval::statistics::power::{Goal, paired_difference, paired_products};
use serde::{Deserialize, Serialize};

const EXAMPLES: &str = "\
A product counts as a win (1), a loss (0) or a tie (1/2); the mean over products is the win rate,
and the t test asks whether it is 50%. Without --deviation a product is won or lost, the most that
it can vary. Several samples a product, or ties, make it vary less: `adeval power run` reads from
a run how much.

Examples:
  adeval power win-rate                                # what common win rates need
  adeval power win-rate --rate 0.55 --power 0.9
  adeval power win-rate --products 168,500   # the smallest win rate that is told from 50%
  adeval power win-rate --rate 0.55 --deviation 0.35   # each product averaged over several samples";

/// Win rates that are shown when none is asked for.
const USUAL: [f64; 6] = [0.52, 0.55, 0.6, 0.65, 0.7, 0.8];

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct WinRateArgs {
    /// Win rates to be told from 50%, each in (0, 1) and not 0.5.
    #[arg(long, value_name = "SHARE", value_delimiter = ',', conflicts_with = "products")]
    rate: Vec<f64>,
    /// Products that there are.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    products: Vec<u64>,
    /// Standard deviation of a product's score, above 0 and at most 0.5.
    #[arg(long, value_name = "SD")]
    deviation: Option<f64>,
    #[command(flatten)]
    goal: GoalArgs,
}

/// A win rate with the products that show it.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WinRateRow {
    /// Products.
    pub products: u64,
    /// The win rate; absent when so few products cannot tell even 100% from 50%.
    pub win_rate: Option<f64>,
    /// Standard deviation of a product's score.
    pub deviation: Option<f64>,
}

pub fn answer(args: &WinRateArgs) -> Result<PowerResult, Stop> {
    let goal = args.goal.goal();
    if let Some(deviation) = args.deviation.filter(|d| !(*d > 0.0 && *d <= 0.5)) {
        return Err(Stop::new(format!(
            "--deviation is {deviation}; scores in [0, 1] have a standard deviation above 0 and at most 0.5"
        )));
    }
    let mut rows = Vec::new();
    if args.products.is_empty() {
        let rates = if args.rate.is_empty() { &USUAL[..] } else { &args.rate };
        for &rate in rates {
            rows.push(needed(rate, args.deviation, goal)?);
        }
    }
    for &products in &args.products {
        rows.push(seen(products, args.deviation, goal)?);
    }
    let mut notes = vec![
        "for two entries that were planned to be compared; a board that compares all entries needs more"
            .to_owned(),
    ];
    if rows.iter().any(|r| r.products < 30) {
        notes.push(
            "with fewer than some 30 products the t test of wins and losses is rough; take more".into(),
        );
    }
    Ok(PowerResult { level: goal.level, power: goal.power, answers: Answers::WinRate(rows), notes })
}

fn needed(rate: f64, deviation: Option<f64>, goal: Goal) -> Result<WinRateRow, Stop> {
    if !(rate > 0.0 && rate < 1.0) || rate == 0.5 {
        return Err(Stop::new(format!("--rate is {rate}; it must lie in (0, 1) and differ from 0.5")));
    }
    let deviation = deviation.unwrap_or_else(|| of_games(rate));
    let products = paired_products(rate - 0.5, deviation, goal)?;
    Ok(WinRateRow { products, win_rate: Some(rate), deviation: Some(deviation) })
}

fn seen(products: u64, deviation: Option<f64>, goal: Goal) -> Result<WinRateRow, Stop> {
    let (lead, deviation) = match deviation {
        Some(deviation) => (paired_difference(products, deviation, goal)?, deviation),
        None => won_or_lost(products, goal)?,
    };
    let possible = lead < 0.5;
    Ok(WinRateRow {
        products,
        win_rate: possible.then_some(0.5 + lead),
        deviation: possible.then_some(deviation),
    })
}

/// Deviation of a product that is won at this rate, and lost otherwise.
fn of_games(rate: f64) -> f64 {
    (rate * (1.0 - rate)).sqrt()
}

/// The smallest lead over 50% where its own deviation counts: larger leads vary less, so the search goes down from the
/// deviation at 50%.
fn won_or_lost(products: u64, goal: Goal) -> Result<(f64, f64), Stop> {
    let mut deviation = 0.5;
    let mut lead = paired_difference(products, deviation, goal)?;
    for _ in 0..200 {
        let next = of_games((0.5 + lead).min(1.0)).max(1e-9);
        if (next - deviation).abs() < 1e-12 {
            break;
        }
        deviation = next;
        lead = paired_difference(products, deviation, goal)?;
    }
    Ok((lead, deviation))
}

pub fn table(rows: &[WinRateRow]) -> String {
    let dash = |value: Option<f64>, show: fn(f64) -> String| value.map_or_else(|| "-".into(), show);
    output::table(
        ["WIN RATE", "PRODUCTS", "DEVIATION OF A PRODUCT"],
        rows.iter().map(|r| {
            let lead = dash(r.win_rate, percent);
            [lead, count(r.products), dash(r.deviation, |d| format!("{d:.4}"))]
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_so_many_products_see_needs_so_many_products() {
        for products in [20, 168, 5000] {
            let row = seen(products, None, Goal::default()).unwrap();
            let back = needed(row.win_rate.unwrap() + 1e-9, None, Goal::default()).unwrap();
            assert_eq!(back.products, products);
            let with = seen(products, Some(0.3), Goal::default()).unwrap();
            let back = needed(with.win_rate.unwrap() + 1e-9, Some(0.3), Goal::default()).unwrap();
            assert_eq!(back.products, products);
        }
        assert_eq!(seen(2, Some(0.5), Goal::default()).unwrap().win_rate, None);
    }
}
