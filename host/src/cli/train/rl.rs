//! `adeval train rl`.

use super::changes::{self, numbers, path, text};
use super::work;
use crate::cli::exit::{Finish, Stop};
use crate::cli::open::PluginArgs;
use crate::cli::{Session, output};
use crate::train::rl::{self, Recipe, RlOutcome, RlResult, SHEET, WORDS};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The recipe that comes with adeval.
const DEFAULT: &str = "fixtures/recipes/rl.toml";

const EXAMPLES: &str = "\
Examples:
  adeval train rl                                   the recipe that comes with adeval: a small policy, in about a minute
  adeval train rl --optimizer dpo --out training/dpo
  adeval train rl --optimizer grpo --set optimizer.parameters.samples=8 --out training/grpo
  adeval train rl my.toml --prompt llava-prompt --prompt-model DIR --reward llava-reward --reward-model DIR \\
      --background sd-background --set training.learning_rate=2e-5

The directory holds the policy after each epoch (adapters/), metrics.jsonl, TensorBoard's event files, the creatives, and what
is needed to go on: the same command resumes a training that was interrupted, and one that is finished with more --epochs.
docs/training.md says what each number means.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RlArgs {
    /// A recipe's file; `default` is the one that comes with adeval.
    #[arg(default_value = "default")]
    recipe: PathBuf,
    /// The training's directory [default: training/NAME].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Set any key of the recipe, as in training.batch=8 or optimizer.parameters.beta=0.5; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = changes::pair)]
    changes: Vec<(String, String)>,
    /// A `products.json`, an image, or a folder of images.
    #[arg(long, value_name = "PATH")]
    products: Option<PathBuf>,
    /// Only the first products.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Outer epochs.
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Samples a product and epoch.
    #[arg(long, value_name = "N")]
    samples: Option<u32>,
    /// Seed of all randomness.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The prompt generator to train.
    #[arg(long, value_name = "ID")]
    prompt: Option<String>,
    /// Its weights: a checkpoint, or the adapter of another training.
    #[arg(long, value_name = "PATH")]
    prompt_model: Option<PathBuf>,
    /// The background generator.
    #[arg(long, value_name = "ID")]
    background: Option<String>,
    /// Its weights.
    #[arg(long, value_name = "PATH")]
    background_model: Option<PathBuf>,
    /// The reward model.
    #[arg(long, value_name = "ID")]
    reward: Option<String>,
    /// Its weights.
    #[arg(long, value_name = "PATH")]
    reward_model: Option<PathBuf>,
    /// The loss: pcpo, dpo, kto, reinforce, grpo, or one of your own.
    #[arg(long, value_name = "ID")]
    optimizer: Option<String>,
    /// Report held-out creatives with the truth of a synthetic market too: literature or easy, and a seed, as in easy:1.
    #[arg(long, value_name = "PRESET:SEED")]
    market: Option<String>,
    #[command(flatten)]
    plugins: PluginArgs,
}

impl RlArgs {
    /// What the command line changes in the recipe. A component that is exchanged brings its own defaults with it.
    fn changes(&self) -> Result<Vec<(String, String)>, Stop> {
        let mut changes = Vec::new();
        let places = [
            ("prompt", &self.prompt, &self.prompt_model),
            ("background", &self.background, &self.background_model),
            ("judge", &self.reward, &self.reward_model),
            ("optimizer", &self.optimizer, &None),
        ];
        for (place, id, weights) in places {
            if let Some(id) = id {
                changes.push((format!("{place}.plugin"), text(id)));
                changes.push((format!("{place}.parameters"), "{}".into()));
            }
            changes.extend(path(&format!("{place}.weights"), weights.as_deref())?);
        }
        changes.extend(path("products.path", self.products.as_deref())?);
        changes.extend(numbers([
            ("products.limit", self.limit.map(|n| n as u64)),
            ("epochs", self.epochs.map(u64::from)),
            ("samples", self.samples.map(u64::from)),
            ("seed", self.seed),
        ]));
        if let Some(market) = &self.market {
            let (preset, seed) = market.split_once(':').unwrap_or((market, "0"));
            changes.push(("market.preset".into(), text(preset)));
            changes.push(("market.seed".into(), seed.to_owned()));
        }
        changes.extend(self.changes.iter().cloned());
        Ok(changes)
    }
}

pub fn run(args: &RlArgs, session: Session) -> Result<Finish, Stop> {
    let file = changes::find(&args.recipe, DEFAULT)?;
    let recipe = Recipe::load(&file, &args.changes()?)?;
    let dir = args.out.clone().unwrap_or_else(|| Path::new("training").join(&recipe.name));
    let outcome = work::train(&args.plugins, session, |services| rl::run(&recipe, &dir, services))?;
    work::show(&with_computed(&outcome)?, &outcome.dir, outcome.seconds, session, || page(&outcome))?;
    Ok(Finish::with_failures(outcome.result.lost() || outcome.result.unusable_products > 0))
}

/// The result with the number of results that this call computed.
fn with_computed(outcome: &RlOutcome) -> Result<serde_json::Value, Stop> {
    let mut value = serde_json::to_value(&outcome.result)
        .map_err(|error| Stop::new(format!("the result cannot be written as JSON: {error}")))?;
    value["computed"] = json!(outcome.computed);
    Ok(value)
}

/// Where held-out products can be looked at, if there are any.
fn looked(outcome: &RlOutcome) -> String {
    let [sheet, words] = [SHEET, WORDS].map(|file| outcome.dir.join(file));
    match sheet.exists() {
        true => format!("Before and after: {}, {}\n", sheet.display(), words.display()),
        false => String::new(),
    }
}

fn page(outcome: &RlOutcome) -> String {
    let (seconds, inside) = outcome.seconds;
    let share = 100.0 * (1.0 - inside / seconds.max(1e-9)).clamp(0.0, 1.0);
    let dir = outcome.dir.display();
    format!(
        "{}\n{} results in {seconds:.1} s, {share:.1}% of it outside plugins.\nThe policy: {dir}/{}\nMetrics: {dir}/metrics.jsonl, {dir}/tensorboard\n{}",
        table(&outcome.result),
        outcome.computed,
        outcome.result.adapter,
        looked(outcome)
    )
}

/// A column: its title, the metric, digits, factor and unit.
type Column = (&'static str, &'static str, usize, f64, &'static str);

const COLUMNS: [Column; 10] = [
    ("Groups", "judge/products_with_preference", 0, 1.0, ""),
    ("Ties", "judge/products_with_equal_rewards", 0, 1.0, ""),
    ("Loss", "mean/loss", 4, 1.0, ""),
    ("Accuracy", "mean/rewards/accuracies", 1, 100.0, "%"),
    ("KL", "mean/policy/kl", 3, 1.0, ""),
    ("Entropy", "mean/policy/entropy", 3, 1.0, ""),
    ("Judge's CTR", "held_out/judge_ctr", 2, 100.0, "%"),
    ("Win rate", "held_out/win_rate", 1, 100.0, "%"),
    ("True CTR*", "held_out/synthetic_true_ctr", 2, 100.0, "%"),
    ("Match*", "held_out/synthetic_match_rate", 1, 100.0, "%"),
];

/// Columns that some epoch has a value in.
fn table(result: &RlResult) -> String {
    let known = |column: &&Column| result.epochs.iter().any(|epoch| epoch.metrics.contains_key(column.1));
    let columns: Vec<&Column> = COLUMNS.iter().filter(known).collect();
    let head = std::iter::once("Epoch").chain(columns.iter().map(|column| column.0));
    let rows = result.epochs.iter().map(|epoch| {
        let cells = columns.iter().map(|(_, key, digits, scale, unit)| {
            let value = epoch.metrics.get(*key);
            value.map_or_else(String::new, |value| format!("{:.digits$}{unit}", scale * value))
        });
        std::iter::once(epoch.epoch.to_string()).chain(cells).collect::<Vec<_>>()
    });
    let (seen, held) = (result.training_products, result.held_out_products);
    let synthetic = columns.iter().any(|column| column.0.ends_with('*'));
    let star =
        if synthetic { "* In a synthetic market, of which neither policy nor judge knows.\n" } else { "" };
    format!(
        "{}\n{seen} products are trained on; the judge's CTR and the win rate over epoch 0 are of {held} others.\n{star}",
        output::table_of(head, rows)
    )
}
