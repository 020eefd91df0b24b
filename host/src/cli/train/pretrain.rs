//! `adeval train pretrain`.

use super::changes::{self, numbers, path, text};
use super::work;
use crate::cli::exit::{Finish, Stop};
use crate::cli::open::PluginArgs;
use crate::cli::{Session, output};
use crate::train::pretrain::{self, PretrainOutcome, PretrainResult, Recipe};
use adeval_eval::Estimate;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The recipe that comes with adeval.
const DEFAULT: &str = "fixtures/recipes/pretrain.toml";

const EXAMPLES: &str = "\
Examples:
  adeval market --preset easy --prompt-generator categorical-prompt --background scene-background --samples 8 --out market
  adeval train pretrain --market market                          a small policy, by what a synthetic designer would keep
  adeval train rl --market easy:0 --prompt-model training/pretrain/best
  adeval train pretrain my.toml --lessons lessons.jsonl --products products.json --prompt llava-prompt --prompt-model DIR

A lesson is a line of JSON: {\"product\": ID, \"question\": TEXT, \"answer\": TEXT}; without a question it answers whatever the generator
asks for a background prompt. The directory holds the trained generator (best/), metrics.jsonl and TensorBoard's event files; the same
command goes on after an interruption. With the same seed and held_out as `adeval train rl`, both leave the same products out.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PretrainArgs {
    /// A recipe's file; `default` is the one that comes with adeval.
    #[arg(default_value = "default")]
    recipe: PathBuf,
    /// The training's directory [default: training/NAME].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A folder that `adeval market` made.
    #[arg(long, value_name = "DIR", conflicts_with = "lessons")]
    market: Option<PathBuf>,
    /// Questions and answers: JSON lines.
    #[arg(long, value_name = "FILE")]
    lessons: Option<PathBuf>,
    /// A `products.json`, an image, or a folder of images.
    #[arg(long, value_name = "PATH")]
    products: Option<PathBuf>,
    /// The prompt generator to train.
    #[arg(long, value_name = "ID")]
    prompt: Option<String>,
    /// The weights that it begins with.
    #[arg(long, value_name = "PATH")]
    prompt_model: Option<PathBuf>,
    /// The most epochs.
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,
    /// Seed of all randomness.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Set any key of the recipe, as in training.batch=8; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = changes::pair)]
    changes: Vec<(String, String)>,
    #[command(flatten)]
    plugins: PluginArgs,
}

impl PretrainArgs {
    fn changes(&self) -> Result<Vec<(String, String)>, Stop> {
        let mut changes = Vec::new();
        if let Some(id) = &self.prompt {
            // A component that is exchanged brings its own defaults with it.
            changes.push(("prompt.plugin".into(), text(id)));
            changes.push(("prompt.parameters".into(), "{}".into()));
        }
        for (key, value) in [
            ("prompt.weights", &self.prompt_model),
            ("data.market", &self.market),
            ("data.lessons", &self.lessons),
            ("products.path", &self.products),
        ] {
            changes.extend(path(key, value.as_deref())?);
        }
        changes.extend(numbers([("training.epochs", self.epochs.map(u64::from)), ("seed", self.seed)]));
        changes.extend(self.changes.iter().cloned());
        Ok(changes)
    }
}

pub fn run(args: &PretrainArgs, session: Session) -> Result<Finish, Stop> {
    let file = changes::find(&args.recipe, DEFAULT)?;
    let recipe = Recipe::load(&file, &args.changes()?)?;
    let dir = args.out.clone().unwrap_or_else(|| Path::new("training").join(&recipe.name));
    let outcome = work::train(&args.plugins, session, |services| pretrain::run(&recipe, &dir, services))?;
    work::show(&outcome.result, &outcome.dir, outcome.seconds, session, || page(&outcome))?;
    Ok(Finish::with_failures(outcome.result.unusable_products > 0 || outcome.result.strangers > 0))
}

fn page(outcome: &PretrainOutcome) -> String {
    let PretrainResult { training, validation, held_out, .. } = &outcome.result;
    let result = &outcome.result;
    let mut page = String::new();
    if let Some(said) = &result.synthetic {
        let _ = writeln!(page, "{said}\n");
    }
    let rows = [
        ["trained on".to_owned(), training.instructions.to_string(), training.products.to_string()],
        ["stopped by".to_owned(), validation.instructions.to_string(), validation.products.to_string()],
        ["held out".to_owned(), held_out.instructions.to_string(), held_out.products.to_string()],
    ];
    page += &output::table(["Instructions", "Count", "Products"], rows);
    let loss = |estimate: &Option<Estimate>| {
        estimate.as_ref().map_or_else(
            || "-".to_owned(),
            |loss| match (loss.low, loss.high) {
                (Some(low), Some(high)) => format!("{:.3} ({low:.3} to {high:.3})", loss.value),
                _ => format!("{:.3}", loss.value),
            },
        )
    };
    let _ = writeln!(
        page,
        "\n{} epochs, {} steps; the best is epoch {} with {:.3} nats a token on the instructions that it was stopped by.\n\
         On held-out products: {} nats a token before, {} after (intervals over products).",
        result.epochs,
        result.steps,
        result.best_epoch,
        result.validation_loss.unwrap_or(f64::NAN),
        loss(&result.held_out_before),
        loss(&result.held_out_after),
    );
    if result.strangers > 0 {
        let _ = writeln!(
            page,
            "{} lessons are about products that are not in the list, and were left out.",
            result.strangers
        );
    }
    let (seconds, inside) = outcome.seconds;
    let _ = writeln!(
        page,
        "\n{seconds:.1} s, {inside:.1} s of it inside the generator: {}/best",
        outcome.dir.display()
    );
    page
}
