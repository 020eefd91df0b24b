//! `adeval train reward`.

use super::changes::{self, numbers, path};
use super::work;
use crate::cli::exit::{Finish, Stop};
use crate::cli::open::PluginArgs;
use crate::cli::{Session, output};
use crate::train::reward::{self, ModelResult, Recipe, RewardOutcome, RewardResult};
use adeval_eval::Estimate;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The recipe that comes with adeval.
const DEFAULT: &str = "fixtures/recipes/reward.toml";

const EXAMPLES: &str = "\
Examples:
  adeval market --preset easy --size 256x256 --out market     a synthetic market to learn from
  adeval train reward --market market                         every model of the default recipe, one table
  adeval train reward --market market --model vision-reward --model my-own-plugin
  adeval train reward --totals creatives.csv --images pictures --products products.json --set labels=posterior

The totals have the columns product, creative, impressions and clicks (docs/logs.md); the pictures are files of the creatives'
names. The directory holds for each model its best checkpoint (models/ID/best: the `weights` of a judge), metrics.jsonl,
TensorBoard's event files and its answers about the test pairs (test_pairs.csv: adeval eval pairs). The same command resumes a
training that was interrupted, and one with more models trains the new ones only. docs/training.md says what each number means.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RewardArgs {
    /// A recipe's file; `default` is the one that comes with adeval.
    #[arg(default_value = "default")]
    recipe: PathBuf,
    /// The training's directory [default: training/NAME].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A folder that `adeval market` made.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["totals", "images"])]
    market: Option<PathBuf>,
    /// Creative totals: .csv, .tsv, .jsonl or .parquet.
    #[arg(long, value_name = "FILE", requires = "images")]
    totals: Option<PathBuf>,
    /// The folder of the creatives' pictures.
    #[arg(long, value_name = "DIR", requires = "totals")]
    images: Option<PathBuf>,
    /// A `products.json`, an image, or a folder of images.
    #[arg(long, value_name = "PATH")]
    products: Option<PathBuf>,
    /// A model of the recipe, or any reward model by its component's id; may be repeated [default: all of the recipe].
    #[arg(long = "model", value_name = "ID")]
    models: Vec<String>,
    /// The most epochs.
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Seed of all randomness.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Set any key of the recipe, as in training.batch=8 or labels=posterior; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = changes::pair)]
    changes: Vec<(String, String)>,
    #[command(flatten)]
    plugins: PluginArgs,
}

impl RewardArgs {
    fn changes(&self) -> Result<Vec<(String, String)>, Stop> {
        let mut changes = Vec::new();
        for (key, value) in [
            ("data.market", &self.market),
            ("data.totals", &self.totals),
            ("data.images", &self.images),
            ("products.path", &self.products),
        ] {
            changes.extend(path(key, value.as_deref())?);
        }
        changes.extend(numbers([("training.epochs", self.epochs.map(u64::from)), ("seed", self.seed)]));
        changes.extend(self.changes.iter().cloned());
        Ok(changes)
    }
}

pub fn run(args: &RewardArgs, session: Session) -> Result<Finish, Stop> {
    let file = changes::find(&args.recipe, DEFAULT)?;
    let recipe = Recipe::load(&file, &args.changes()?, &args.models)?;
    let dir = args.out.clone().unwrap_or_else(|| Path::new("training").join(&recipe.name));
    let outcome = work::train(&args.plugins, session, |services| reward::run(&recipe, &dir, services))?;
    work::show(&outcome.result, &outcome.dir, outcome.seconds, session, || page(&outcome))?;
    let unanswered = outcome.result.models.iter().any(|model| model.unanswered > 0);
    Ok(Finish::with_failures(!outcome.result.failed.is_empty() || unanswered))
}

fn page(outcome: &RewardOutcome) -> String {
    let result = &outcome.result;
    let mut page = String::new();
    if let Some(said) = &result.synthetic {
        let _ = writeln!(page, "{said}\n");
    }
    page += &accuracies(result);
    page.push('\n');
    page += &costs(result);
    page.push('\n');
    page += &notes(result);
    let (seconds, inside) = outcome.seconds;
    let dir = outcome.dir.display();
    let _ = writeln!(
        page,
        "\n{seconds:.1} s, {inside:.1} s of it inside models. {dir}/models/ID/best holds each model."
    );
    page
}

fn accuracies(result: &RewardResult) -> String {
    let known = result.models.iter().any(|model| model.true_order.is_some());
    let head = ["Model", "Accuracy", "Interval", "Of ceiling", "Swap", "ECE", "Beats"];
    let head = head.into_iter().chain(known.then_some("True order*"));
    let rows = result.models.iter().map(|model| {
        let report = &model.report;
        let all = &report.overall;
        let beats = if model.beats.is_empty() { "-".to_owned() } else { model.beats.join(", ") };
        let cells = [
            model.id.clone(),
            percent(&all.accuracy),
            interval(&all.accuracy),
            percent(&all.share_of_ceiling),
            report.swap_consistency.as_ref().map_or_else(|| "-".to_owned(), percent),
            format!("{:.3}", report.calibration.ece.value),
            beats,
        ];
        let truth = known.then(|| model.true_order.as_ref().map_or_else(|| "-".to_owned(), percent));
        cells.into_iter().chain(truth).collect::<Vec<_>>()
    });
    output::table_of(head, rows)
}

fn costs(result: &RewardResult) -> String {
    let head = ["Model", "Parameters", "Trained", "Epochs", "Best", "Temperature", "Train s/1k", "Ask s/1k"];
    let rows = result.models.iter().map(|model| {
        let ModelResult { parameters, seconds, .. } = model;
        let count =
            |of: fn(&reward::Parameters) -> u64| parameters.as_ref().map_or_else(dash, |p| of(p).to_string());
        let time = |seconds: Option<f64>| seconds.map_or_else(dash, |s| format!("{s:.2}"));
        [
            model.id.clone(),
            count(|p| p.total),
            count(|p| p.trained),
            model.epochs.to_string(),
            model.best_epoch.to_string(),
            format!("{:.3}", model.temperature),
            time(seconds.training),
            time(seconds.comparing),
        ]
    });
    output::table(head, rows)
}

fn notes(result: &RewardResult) -> String {
    let mut page = String::new();
    let ceiling = result.models.first().map(|model| &model.report.overall.ceiling);
    let (training, validation, test) = (&result.training, &result.validation, &result.test);
    let _ = writeln!(
        page,
        "Trained on {} pairs of {} products, stopped and calibrated by {} of {}, tested once on {} of {}.",
        training.pairs.used,
        training.products,
        validation.pairs.used,
        validation.products,
        test.pairs.used,
        test.products
    );
    if let Some(ceiling) = ceiling {
        let _ = writeln!(
            page,
            "The ceiling is {} {}: what a judge reaches who knows every true order.\nIntervals are over products.",
            percent(ceiling),
            interval(ceiling)
        );
    }
    if result.models.iter().any(|model| model.true_order.is_some()) {
        page += "* In the synthetic market: the share of test pairs whose truly better creative is named.\n";
    }
    for model in result.models.iter().filter(|model| model.unanswered > 0) {
        let _ = writeln!(page, "{} did not answer {} test pairs.", model.id, model.unanswered);
    }
    for failed in &result.failed {
        let _ = writeln!(page, "{} has no row: {}", failed.id, failed.error);
    }
    page
}

fn dash() -> String {
    "-".to_owned()
}

fn percent(estimate: &Estimate) -> String {
    format!("{:.1}%", 100.0 * estimate.value)
}

fn interval(estimate: &Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high),
        _ => dash(),
    }
}
