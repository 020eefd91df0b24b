//! `adeval eval ranking`: models' scores and bandits on creatives' clicks.

use super::super::exit::{Finish, Stop};
use super::super::{Session, output};
use super::source::{self, IntervalArgs, SourceArgs};
use super::text;
use crate::records::{CreativeTotals, RowReport};
use adeval_eval::ranking::{
    Catalogue, Policy, PolicyRow, ScoreOptions, ScoreReport, Settings, compare_policies, evaluate_scores,
};
use adeval_eval::statistics::beta::Beta;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Columns: product, creative, impressions, clicks; day (bandits learn overnight), score or one
score_NAME a model, feature_NAME (LinUCB). docs/logs.md has more.

Examples:
  adeval eval ranking fixtures/logs/totals.csv
  adeval eval ranking creatives.parquet --repeats 50 --seed 1
  adeval eval ranking creatives.csv --json | jq '.models[] | [.model, .report.nsctr.value]'";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RankingArgs {
    /// Totals of creatives: .csv, .tsv, .jsonl or .parquet.
    file: PathBuf,
    /// Times that each bandit is played back, and averaged.
    #[arg(long, value_name = "N", default_value_t = 10)]
    repeats: u32,
    /// Chance of epsilon-greedy to show any creative.
    #[arg(long, default_value_t = 0.1)]
    epsilon: f64,
    /// Width of the bounds of UCB and LinUCB.
    #[arg(long, default_value_t = 0.1)]
    width: f64,
    /// Sizes of the sets of top-scored creatives.
    #[arg(long, value_name = "K", value_delimiter = ',', default_value = "1,2,3")]
    top: Vec<usize>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    intervals: IntervalArgs,
}

/// What `adeval eval ranking --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RankingResult {
    /// What became of the file's rows.
    pub rows: RowReport,
    /// Confidence level of intervals.
    pub level: f64,
    /// Bootstrap resamples.
    pub resamples: u32,
    /// Seed.
    pub seed: u64,
    /// Products with a choice.
    pub products: usize,
    /// Products left out since one creative of them was shown.
    pub single: usize,
    /// Creatives left out since they were never shown.
    pub unseen: usize,
    /// Different days.
    pub days: usize,
    /// Policies played back over the log.
    pub policies: Vec<PlayedBack>,
    /// What each model's scores are worth.
    pub models: Vec<ModelResult>,
    /// What to mind.
    pub notes: Vec<String>,
}

/// A policy with its name.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PlayedBack {
    /// Its name; a model's is "scores of MODEL".
    pub name: String,
    /// What it earned.
    #[serde(flatten)]
    pub row: PolicyRow,
}

/// A model with its report.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ModelResult {
    /// The column of its scores, without `score_`.
    pub model: String,
    /// What showing its highest-scored creatives earns.
    pub report: ScoreReport,
}

pub fn run(args: &RankingArgs, session: Session) -> Result<Finish, Stop> {
    let bootstrap = args.intervals.bootstrap()?;
    if args.repeats == 0 {
        return Err(Stop::new("--repeats is 0; play back at least once"));
    }
    let mut table = CreativeTotals::default();
    let rows = args.source.read(&args.file, true, &mut table, session)?;
    let settings = Settings { seed: bootstrap.seed, repeats: args.repeats };
    let plain = Catalogue::new(table.products(None))?;
    let bandits = bandits(args, &table, &plain);
    let mut policies = Vec::new();
    let mut play = |catalogue: &Catalogue, list: &[(String, Policy)]| -> Result<(), Stop> {
        let which: Vec<Policy> = list.iter().map(|(_, policy)| *policy).collect();
        let report = compare_policies(catalogue, &which, settings, &bootstrap)?;
        let named = list.iter().zip(report.policies);
        policies.extend(named.map(|((name, _), row)| PlayedBack { name: name.clone(), row }));
        Ok(())
    };
    play(&plain, &bandits)?;
    let mut models = Vec::new();
    let options = ScoreOptions { bootstrap, prior: None, top: args.top.clone() };
    for (at, model) in table.models().enumerate() {
        let catalogue = Catalogue::new(table.products(Some(at)))?;
        play(&catalogue, &[(format!("scores of {model}"), Policy::Scores)])?;
        models.push(ModelResult { model: model.to_owned(), report: evaluate_scores(&catalogue, &options)? });
    }
    let notes = notes(&table, &plain);
    let result = RankingResult {
        rows,
        level: bootstrap.level,
        resamples: bootstrap.resamples,
        seed: bootstrap.seed,
        products: plain.len(),
        single: plain.single,
        unseen: plain.unseen,
        days: table.days(),
        policies,
        models,
        notes,
    };
    source::show(&result, page, session)?;
    Ok(source::finish([&result.rows]))
}

/// Bandits that the file has what they need for; they learn overnight, so a file of one day has a uniform choice alone.
fn bandits(args: &RankingArgs, table: &CreativeTotals, plain: &Catalogue) -> Vec<(String, Policy)> {
    let mut list = vec![("uniform".to_owned(), Policy::Uniform)];
    if table.days() < 2 {
        return list;
    }
    // The prior of VAM-HBM.
    let prior = Beta { a: 3.430_46, b: 109.783_02 };
    list.push((format!("epsilon-greedy, {}", args.epsilon), Policy::EpsilonGreedy { epsilon: args.epsilon }));
    list.push(("Thompson".to_owned(), Policy::Thompson { prior }));
    list.push((format!("UCB, width {}", args.width), Policy::Ucb { width: args.width }));
    if table.has_features() && !plain.is_empty() {
        list.push((format!("LinUCB, width {}", args.width), Policy::LinUcb { width: args.width }));
    }
    list
}

fn notes(table: &CreativeTotals, plain: &Catalogue) -> Vec<String> {
    let mut notes = vec![
        "playback is fair for creatives that were shown uniformly at random; for other logs use `adeval eval ope` with propensities"
            .to_owned(),
    ];
    if plain.single > 0 {
        notes
            .push(format!("{} products have one creative that was shown: no choice, left out", plain.single));
    }
    if plain.unseen > 0 {
        notes.push(format!("{} creatives were never shown and are left out", plain.unseen));
    }
    if table.days() < 2 {
        notes.push("without a column \"day\" bandits cannot learn overnight and are not played back".into());
    }
    if table.models().next().is_none() {
        notes.push("there is no column \"score\" or \"score_NAME\": no model is evaluated".into());
    }
    if plain.len() < 30 {
        notes.push(format!(
            "{} products are few: intervals resample products and are rough below some 30",
            plain.len()
        ));
    }
    notes
}

fn page(result: &RankingResult) -> String {
    let mut page = format!(
        "{} products with a choice, {} days, {:.0}% intervals over products\n\n",
        result.products,
        result.days,
        100.0 * result.level
    );
    let rows = result.policies.iter().map(|PlayedBack { name, row }| {
        [
            name.clone(),
            text::rate(&row.sctr),
            text::signed_percent(&row.lift),
            text::rate(&row.regret),
            format!("{:.1}%", 100.0 * row.matched),
        ]
    });
    page += &output::table(["PLAYED BACK", "SCTR", "LIFT", "REGRET", "SHOWN"], rows);
    for ModelResult { model, report } in &result.models {
        page += &format!("\n{}", scores(model, report));
    }
    page + &text::notes(&result.notes)
}

fn scores(model: &str, report: &ScoreReport) -> String {
    let mut rows = vec![
        ["sCTR of the top-scored".to_owned(), text::rate(&report.sctr)],
        ["NSCTR".to_owned(), text::rate(&report.nsctr)],
        ["NSCTR of a uniform choice".to_owned(), text::rate(&report.uniform)],
        ["lift over a uniform choice".to_owned(), text::signed_percent(&report.lift)],
        ["regret, smoothed CTR".to_owned(), text::rate(&report.regret)],
        ["regret of a uniform choice".to_owned(), text::rate(&report.uniform_regret)],
    ];
    rows.extend(
        report.top.iter().map(|top| [format!("lift of the top {}", top.k), text::signed_percent(&top.lift)]),
    );
    rows.push(["AUC over all products".to_owned(), text::or_dash(report.auc.as_ref(), text::number)]);
    rows.push(["GAUC within products".to_owned(), text::or_dash(report.gauc.as_ref(), text::number)]);
    output::table([&format!("MODEL {model}"), "VALUE"], rows)
}
