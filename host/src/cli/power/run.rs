//! `adeval power run`: what a finished run can see.

use super::{Answers, GoalArgs, PowerResult, count, plain};
use crate::cli::exit::Stop;
use crate::cli::output;
use crate::cli::runs::RunsArgs;
use adeval_eval::leaderboard::{Leaderboard, PairwiseResult};
use adeval_eval::statistics::power::{Goal, paired_difference, paired_products};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const EXAMPLES: &str = "\
How far two entries' scores on a product differ from product to product is taken from the run.
From it follow the smallest difference in the ranking column that so many products show, and the
products that the observed difference would need. As the board compares all entries, the level is
shared by all pairs (Bonferroni, which asks for a little more than the board's own correction by
Holm).

Examples:
  adeval power run runs/default-20261126-101500
  adeval power run default --products 168,1000      # what more products would show
  adeval power run default --json | jq '.rows[] | [.a, .b, .products_needed]'";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// A run's folder, its name, or the start of its name.
    run: PathBuf,
    /// Numbers of products to tell the smallest difference for, beside the run's own.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    products: Vec<u64>,
    #[command(flatten)]
    goal: GoalArgs,
    #[command(flatten)]
    folder: RunsArgs,
}

/// Two entries of a run.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunRow {
    /// The entry that ranks higher.
    pub a: String,
    /// The other one.
    pub b: String,
    /// The ranking column of `a` minus `b` in the run.
    pub difference: f64,
    /// Standard deviation of that difference over products.
    pub deviation: f64,
    /// Products of the run that both have.
    pub products: usize,
    /// Smallest difference that so many products show, for the run's own number and each that was asked for.
    pub detectable: Vec<Detectable>,
    /// Products that `difference` needs, were it the true one; absent for a difference of 0.
    pub products_needed: Option<u64>,
}

/// What so many products show.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Detectable {
    /// Products.
    pub products: u64,
    /// The smallest difference.
    pub difference: f64,
}

/// The largest level that sample sizes are computed for.
const MOST_LEVEL: f64 = 0.9999;

pub fn answer(args: &RunArgs) -> Result<PowerResult, Stop> {
    let run = args.folder.find(&args.run)?;
    let dir = run.dir.display();
    let Some(result) = run.result else {
        return Err(Stop::new(format!("{dir} is unfinished, so it has no spread between products"))
            .help(format!("adeval runs resume {dir}")));
    };
    let board = &result.board;
    if board.pairwise.is_empty() {
        return Err(Stop::new(format!(
            "no two entries of {dir} are compared, so there is no difference to plan for"
        ))
        .help("give the suite two entries and a judge"));
    }
    if board.pairwise.iter().all(|pair| pair.deviation.is_none()) {
        return Err(Stop::new(format!(
            "the board of {dir} has no spread between products: it is of an older adeval, or has one product"
        ))
        .help(format!("`adeval runs resume {dir}` computes the board anew from its records")));
    }
    let shared = 1.0 - (1.0 - args.goal.level) / board.pairwise.len() as f64;
    let goal = Goal { level: shared.min(MOST_LEVEL), power: args.goal.power };
    let mut notes = notes(board, goal, args.goal.level);
    let mut rows = Vec::new();
    for pair in &board.pairwise {
        match pair.deviation.filter(|d| *d > 0.0) {
            Some(deviation) => rows.push(row(pair, deviation, &args.products, goal)?),
            None => notes.push(format!(
                "{} and {} differ alike on every product, or share fewer than two: left out",
                pair.a, pair.b
            )),
        }
    }
    Ok(PowerResult { level: goal.level, power: goal.power, answers: Answers::Run(rows), notes })
}

fn row(pair: &PairwiseResult, deviation: f64, more: &[u64], goal: Goal) -> Result<RunRow, Stop> {
    let (difference, products) = (pair.difference.value, pair.difference.n);
    let numbers = std::iter::once(products as u64).chain(more.iter().copied());
    let detectable = numbers.map(|products| {
        Ok(Detectable { products, difference: paired_difference(products, deviation, goal)? })
    });
    Ok(RunRow {
        a: pair.a.clone(),
        b: pair.b.clone(),
        difference,
        deviation,
        products,
        detectable: detectable.collect::<Result<_, Stop>>()?,
        products_needed: (difference != 0.0)
            .then(|| paired_products(difference, deviation, goal))
            .transpose()?,
    })
}

fn notes(board: &Leaderboard, goal: Goal, level: f64) -> Vec<String> {
    let mut notes = vec![
        format!(
            "differences are in {}; the level {} is {} shared by {} pairs",
            board.primary_column,
            plain(goal.level),
            plain(level),
            board.pairwise.len()
        ),
        "products needed take the observed difference for the true one, which flatters small runs: plan with the smallest difference that matters".to_owned(),
    ];
    if goal.level == MOST_LEVEL {
        notes.push(format!(
            "the shared level ends at {MOST_LEVEL}; with so many pairs the board asks for more"
        ));
    }
    notes
}

pub fn table(rows: &[RunRow]) -> String {
    let mut page = output::table(
        ["A", "B", "A - B", "SPREAD", "SMALLEST SEEN", "PRODUCTS NEEDED"],
        rows.iter().map(|r| {
            let seen = r.detectable.first().map_or(f64::NAN, |d| d.difference);
            let needed = r.products_needed.map_or_else(|| "-".into(), count);
            [
                r.a.clone(),
                r.b.clone(),
                format!("{:+.4}", r.difference),
                format!("{:.4}", r.deviation),
                format!("{seen:.4} of {}", r.products),
                needed,
            ]
        }),
    );
    let more: Vec<_> = rows.iter().flat_map(|r| r.detectable.iter().skip(1).map(move |d| (r, d))).collect();
    if !more.is_empty() {
        let rows = more
            .iter()
            .map(|(r, d)| [r.a.clone(), r.b.clone(), count(d.products), format!("{:.4}", d.difference)]);
        page += &format!("\n{}", output::table(["A", "B", "PRODUCTS", "SMALLEST SEEN"], rows));
    }
    page
}
