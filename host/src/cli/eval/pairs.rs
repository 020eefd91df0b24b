//! `adeval eval pairs`: a reward model against clicks.

use super::super::exit::{Finish, Stop};
use super::super::{Session, output};
use super::source::{self, IntervalArgs, SourceArgs};
use super::text;
use crate::records::{Judge, JudgedPairs, RowReport};
use adeval_eval::pairs::{Group, Options, Prior, Report, evaluate};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Columns: product, left, right, left_clicks, left_impressions, right_clicks, right_impressions, and
p_left (P(left is better), left shown left), p_left_swapped (the same, left shown right), or
left_predicted_ctr and right_predicted_ctr; category if there is one. docs/logs.md has more.

Examples:
  adeval eval pairs fixtures/logs/pairs.csv
  adeval eval pairs judged.parquet --concentration 600   # pairs that were filtered by their clicks
  adeval eval pairs judged.jsonl --skip-bad-rows --json | jq '.judges[0].report.overall'";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PairsArgs {
    /// Judged pairs: .csv, .tsv, .jsonl or .parquet.
    file: PathBuf,
    /// The judge is undecided within this distance of 1/2, in [0, 0.5).
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    tie_margin: f64,
    /// How alike creatives of one product are, in pseudo-impressions, for the noise ceiling [default: estimated from the
    /// pairs, which is wrong for pairs that were filtered by their clicks].
    #[arg(long, value_name = "K")]
    concentration: Option<f64>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    intervals: IntervalArgs,
}

/// What `adeval eval pairs --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PairsResult {
    /// What became of the file's rows.
    pub rows: RowReport,
    /// Confidence level of intervals.
    pub level: f64,
    /// Bootstrap resamples.
    pub resamples: u32,
    /// Seed.
    pub seed: u64,
    /// One for each way in which the judge was asked.
    pub judges: Vec<JudgeResult>,
    /// What to mind.
    pub notes: Vec<String>,
}

/// A judge's report.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct JudgeResult {
    /// How it was asked.
    pub judge: Judge,
    /// What the pairs say about it.
    pub report: Report,
}

pub fn run(args: &PairsArgs, session: Session) -> Result<Finish, Stop> {
    let bootstrap = args.intervals.bootstrap()?;
    let mut table = JudgedPairs::default();
    let rows = args.source.read(&args.file, true, &mut table, session)?;
    let options = Options {
        bootstrap,
        tie_margin: args.tie_margin,
        prior: args.concentration.map_or(Prior::WithinProduct, Prior::Concentration),
        ..Options::default()
    };
    let judges =
        table.judges().map(|(judge, pairs)| Ok(JudgeResult { judge, report: evaluate(&pairs, &options)? }));
    let judges = judges.collect::<Result<Vec<_>, Stop>>()?;
    let notes = notes(&judges);
    let (level, resamples, seed) = (bootstrap.level, bootstrap.resamples, bootstrap.seed);
    let result = PairsResult { rows, level, resamples, seed, judges, notes };
    source::show(&result, page, session)?;
    Ok(source::finish([&result.rows]))
}

fn notes(judges: &[JudgeResult]) -> Vec<String> {
    let mut notes = Vec::new();
    for JudgeResult { judge, report } in judges {
        if report.equal_ctr > 0 && notes.is_empty() {
            notes.push(format!(
                "{} pairs have equal CTRs and no right answer; they count for consistency only",
                report.equal_ctr
            ));
        }
        if *judge == Judge::Pointwise {
            notes.push("pointwise answers are left / (left + right) of the predicted CTRs; their calibration is that ratio's".into());
        }
    }
    if let Some(JudgeResult { report, .. }) = judges.first() {
        let ceiling = report.overall.ceiling.value;
        notes.push(format!(
            "clicks are noisy: whoever knew every true order would be right on {:.1}% of these pairs; read accuracies against that",
            100.0 * ceiling
        ));
        if ceiling < 0.6 {
            notes.push("the ceiling is near 50%: these pairs say little about any judge; collect more impressions or clearer pairs".into());
        }
        if report.products < 30 {
            notes.push(format!(
                "{} products are few: intervals resample products and are rough below some 30",
                report.products
            ));
        }
    }
    notes
}

fn page(result: &PairsResult) -> String {
    let mut page = String::new();
    for JudgeResult { judge, report } in &result.judges {
        let how = match judge {
            Judge::Pairwise => "Pairwise answers",
            Judge::Pointwise => "Predicted CTRs",
        };
        page += &format!(
            "{how}: {} pairs of {} products, {:.0}% intervals over products\n\n",
            report.pairs,
            report.products,
            100.0 * result.level
        );
        page += &groups(report);
        page += &format!("\n{}", summary(report));
        page += &format!("\n{}\n", curve(report));
    }
    page.trim_end().to_owned() + "\n" + &text::notes(&result.notes)
}

fn groups(report: &Report) -> String {
    let row = |kind: &str, group: &Group| {
        [
            format!("{kind}{}", group.name),
            group.pairs.to_string(),
            text::percent(&group.accuracy),
            text::percent(&group.ceiling),
            text::percent(&group.share_of_ceiling),
        ]
    };
    let mut rows = vec![row("", &report.overall)];
    rows.extend(report.by_gap.iter().map(|group| row("CTR ratio ", group)));
    rows.extend(report.by_category.iter().map(|group| row("", group)));
    output::table(["PAIRS", "N", "ACCURACY", "NOISE CEILING", "ACCURACY / CEILING"], rows)
}

fn summary(report: &Report) -> String {
    let row = |name: &str, value: String| [name.to_owned(), value];
    output::table(
        ["MEASURE", "VALUE"],
        [
            row(
                "accuracy on the true order",
                text::or_dash(report.overall.true_order_accuracy.as_ref(), text::percent),
            ),
            row("AUC", text::or_dash(report.auc.as_ref(), text::number)),
            row("swap consistency", text::or_dash(report.swap_consistency.as_ref(), text::percent)),
            row("position bias, P(left) - 1/2", text::or_dash(report.position_bias.as_ref(), text::signed)),
            row("undecided pairs", report.undecided.to_string()),
            row("expected calibration error", text::number(&report.calibration.ece)),
            row("Brier score", text::number(&report.calibration.brier)),
            row("concentration of the prior", format!("{:.0} impressions", report.concentration)),
        ],
    )
}

fn curve(report: &Report) -> String {
    let rows = report.calibration.curve.iter().map(|bin| {
        [format!("{:.3}", bin.predicted), text::number(&bin.observed), format!("{:.0}", bin.trials)]
    });
    output::table(["MEAN PREDICTION", "OBSERVED SHARE", "ANSWERS"], rows)
}
