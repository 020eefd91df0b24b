//! `adeval eval compare`: entries and judges against each other, from a file of judgements.

use super::super::exit::{Finish, Stop};
use super::super::{Session, output};
use super::source::{self, IntervalArgs, SourceArgs};
use super::text;
use crate::records::{Judgements, RowReport};
use adeval_eval::comparison::krippendorff::{Scale, alpha};
use adeval_eval::comparison::{davidson, matrix};
use adeval_eval::leaderboard::JudgeReport;
use adeval_eval::{Bootstrap, Estimate, Preferences};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Columns: product, left and right (entries), and p_left (0 to 1) or winner (left, right, tie, or the
entry's name); judge and sample if there are several. A pair that was asked in both orders counts once,
by the mean of both. docs/logs.md has more.

Examples:
  adeval eval compare ratings.csv
  adeval eval compare ratings.parquet --tie-margin 0.05
  adeval eval compare ratings.csv --json | jq '.judges[] | [.judge, .swap_consistency]'";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CompareArgs {
    /// Judgements: .csv, .tsv, .jsonl or .parquet.
    file: PathBuf,
    /// A pair whose probability is within this distance of 1/2 is a tie, in [0, 0.5).
    #[arg(long, value_name = "P", default_value_t = 1e-6)]
    tie_margin: f64,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    intervals: IntervalArgs,
}

/// What `adeval eval compare --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CompareResult {
    /// What became of the file's rows.
    pub rows: RowReport,
    /// Confidence level of intervals.
    pub level: f64,
    /// Bootstrap resamples.
    pub resamples: u32,
    /// Seed.
    pub seed: u64,
    /// Products.
    pub products: usize,
    /// What each judge said.
    pub judges: Vec<JudgeVerdicts>,
    /// Krippendorff's alpha over all judges' verdicts (lost, tied, won), ordinal; absent for one judge, and where all
    /// verdicts are alike.
    pub agreement: Option<Estimate>,
    /// What to mind.
    pub notes: Vec<String>,
}

/// A judge's verdicts.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct JudgeVerdicts {
    /// How far the judge can be trusted.
    #[serde(flatten)]
    pub report: JudgeReport,
    /// Chance that two entries of one strength tie, by Davidson's model.
    pub tie_chance: Option<Estimate>,
    /// Entries, the strongest first.
    pub entries: Vec<Standing>,
    /// Each entry against each other one, in the order of `entries`.
    pub matrix: Vec<Versus>,
}

/// An entry's standing with a judge.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Standing {
    /// The entry.
    pub entry: String,
    /// Mean over products of its outcomes against the others, ties as half.
    pub win_rate: Option<Estimate>,
    /// Strength by Davidson's model of wins and ties, in log-odds with mean 0.
    pub strength: Option<Estimate>,
}

/// An entry against another.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Versus {
    /// The entry.
    pub a: String,
    /// The other one.
    pub b: String,
    /// How often `a` won, ties as half.
    pub win_rate: Estimate,
    /// Share of ties.
    pub ties: f64,
}

pub fn run(args: &CompareArgs, session: Session) -> Result<Finish, Stop> {
    let bootstrap = args.intervals.bootstrap()?;
    if !(0.0..0.5).contains(&args.tie_margin) {
        return Err(Stop::new(format!("--tie-margin is {}; it must lie in [0, 0.5)", args.tie_margin)));
    }
    let mut table = Judgements::default();
    let rows = args.source.read(&args.file, true, &mut table, session)?;
    let judges = 0..table.judges.len() as u32;
    let judges = judges.map(|judge| verdicts(&table, judge, args.tie_margin, &bootstrap));
    let judges = judges.collect::<Result<Vec<_>, Stop>>()?;
    let products = table.products.len();
    let agreement = match judges.len() {
        0 | 1 => None,
        _ => alpha(&table.units(args.tie_margin), products, Scale::Ordinal, &bootstrap)?,
    };
    let notes = notes(&judges, agreement, products);
    let result = CompareResult {
        rows,
        level: bootstrap.level,
        resamples: bootstrap.resamples,
        seed: bootstrap.seed,
        products,
        judges,
        agreement,
        notes,
    };
    source::show(&result, page, session)?;
    Ok(source::finish([&result.rows]))
}

fn verdicts(
    table: &Judgements,
    judge: u32,
    margin: f64,
    bootstrap: &Bootstrap,
) -> Result<JudgeVerdicts, Stop> {
    let (entries, products) = (table.entries.len(), table.products.len());
    let preferences = Preferences::collect(entries, products, table.questions(judge), margin)?;
    let win_rates = preferences.win_rates(bootstrap)?;
    let (strengths, tie_chance) = davidson::strengths(&preferences, bootstrap)?;
    let matchups = matrix(&preferences, bootstrap)?;
    let mut order: Vec<usize> = (0..entries).collect();
    let strength = |e: &usize| strengths[*e].map_or(f64::NEG_INFINITY, |s| s.value);
    order.sort_by(|a, b| strength(b).total_cmp(&strength(a)).then(a.cmp(b)));
    let name = |entry: usize| table.entries.name(entry as u32).to_owned();
    let standing = |&e: &usize| Standing { entry: name(e), win_rate: win_rates[e], strength: strengths[e] };
    let mut versus = Vec::new();
    for (at, &a) in order.iter().enumerate() {
        for &b in &order[at + 1..] {
            versus.extend(matchups[a][b].map(|m| Versus {
                a: name(a),
                b: name(b),
                win_rate: m.win_rate,
                ties: m.ties,
            }));
        }
    }
    let judge = match table.judges.name(judge) {
        "" => "judge",
        name => name,
    };
    Ok(JudgeVerdicts {
        report: JudgeReport::of(judge, &preferences),
        tie_chance,
        entries: order.iter().map(standing).collect(),
        matrix: versus,
    })
}

fn notes(judges: &[JudgeVerdicts], agreement: Option<Estimate>, products: usize) -> Vec<String> {
    let mut notes = Vec::new();
    for JudgeVerdicts { report: j, .. } in judges {
        if j.both_orders < j.pairs {
            let one = j.pairs - j.both_orders;
            notes.push(format!(
                "{}: {one} of {} pairs were asked in one order only: its position bias is in them",
                j.judge, j.pairs
            ));
        }
    }
    if judges.len() > 1 && agreement.is_none() {
        notes.push("agreement cannot be told: no pair has two judges, or all verdicts are alike".into());
    }
    if products < 30 {
        notes.push(format!(
            "{products} products are few: intervals resample products and are rough below some 30"
        ));
    }
    notes
}

fn page(result: &CompareResult) -> String {
    let mut page =
        format!("{} products, {:.0}% intervals over products\n", result.products, 100.0 * result.level);
    for judge in &result.judges {
        let report = &judge.report;
        page += &format!("\n{}: {} pairs", report.judge, report.pairs);
        if let (Some(consistency), Some(bias)) = (report.swap_consistency, report.position_bias) {
            page += &format!(
                ", {} in both orders, which agree on {:.1}%, position bias {bias:+.3}",
                report.both_orders,
                100.0 * consistency
            );
        }
        page += &format!(", {:.1}% ties\n\n", 100.0 * report.ties);
        let row = |s: &Standing| {
            let rate = text::or_dash(s.win_rate.as_ref(), text::percent);
            [s.entry.clone(), rate, text::or_dash(s.strength.as_ref(), text::signed)]
        };
        page += &output::table(["ENTRY", "WIN RATE", "STRENGTH"], judge.entries.iter().map(row));
        let row = |v: &Versus| {
            [v.a.clone(), v.b.clone(), text::percent(&v.win_rate), format!("{:.1}%", 100.0 * v.ties)]
        };
        page += &format!("\n{}", output::table(["A", "B", "A WINS", "TIES"], judge.matrix.iter().map(row)));
    }
    if let Some(agreement) = &result.agreement {
        page += &format!("\nAgreement of judges, Krippendorff's alpha: {}\n", text::number(agreement));
    }
    page + &text::notes(&result.notes)
}
