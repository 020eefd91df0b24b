//! `adeval market`: simulated shoppers, whose truth is known, for creatives that real plugins render.

use super::exit::{Finish, Stop};
use super::open::PluginArgs;
use super::progress::Report;
use super::{Session, bench, interrupt, output};
use crate::bench::Services;
use crate::market::{self, LogFormat, MarketError, MarketJob, MarketResult};
use crate::products::CutOutNetwork;
use crate::suite::{BackgroundStep, Entry, PromptStep, Suite};
use adeval_eval::market::{Ceiling, Market, Preset};
use clap::ValueEnum;
use serde_json::Map;
use std::path::{Path, PathBuf};

const HELP: &str = "\
All clicks are SYNTHETIC. Shoppers of three segments look at the pixels of each creative: contrast and
harmony of product and background, clutter, light, warmth in season, and whether the scene suits the
product's category; docs/market.md has the equations. Words of a prompt play no part, so only
pictures earn clicks. The same seed gives the same files.

The folder gets creatives and a list of them, the log of all impressions with propensities, days in
the layout of CreativeRanking, policies, and pairs by the paper's filter. What is true (CTR of each
creative, best possible accuracy, match) is in its folder truth/, which no model may see.

Presets: in `literature` creatives differ so little that a judge who knows the truth is right about
58% of the pairs that the paper's filter takes; in `easy` about 90% of all pairs.

Examples:
  adeval market --out market                             the default suite's products and entries
  adeval market --preset easy --limit 24 --out easy      a first look
  adeval market products.json --prompt-generator template-prompt --background scene-background \\
      --background photo-background --samples 4 --seed 7 --out market7
  adeval eval ope market/log.synthetic.parquet --policy market/policies.synthetic.csv
  adeval data split market/log.synthetic.parquet --by product --out parts

An interrupted market goes on where it stopped, with the same command.";

#[derive(clap::Args)]
#[command(after_help = HELP)]
pub struct MarketArgs {
    /// A suite (.toml) whose products and entries are used, or products: a `products.json`, a picture or a folder of
    /// pictures. `default` is the suite that comes with adeval.
    #[arg(value_name = "SUITE|PRODUCTS", default_value = "default")]
    source: PathBuf,
    /// Folder of the market; it must not hold a finished one.
    #[arg(long, short, value_name = "DIR", default_value = "market")]
    out: PathBuf,
    /// How much creatives differ.
    #[arg(long, value_enum, default_value_t = PresetName::Literature)]
    preset: PresetName,
    /// Seed of prompts, creatives, shoppers and traffic.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Creatives of each product and entry [default: the suite's, or 4].
    #[arg(long, value_name = "N")]
    samples: Option<u32>,
    /// Only the first products.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// A prompt generator, in place of a suite's entries; may be repeated, and each is combined with each background generator
    /// [default for products: template-prompt].
    #[arg(long, value_name = "PLUGIN")]
    prompt_generator: Vec<String>,
    /// A background generator, in place of a suite's entries; may be repeated [default for products: scene-background].
    #[arg(long, value_name = "PLUGIN")]
    background: Vec<String>,
    /// Width and height of a creative in pixels [default: the suite's, or 512x512].
    #[arg(long, value_name = "WxH", value_parser = super::render::size)]
    size: Option<[u32; 2]>,
    /// Median impressions of a creative, in place of the preset's.
    #[arg(long, value_name = "N")]
    impressions: Option<f64>,
    /// What a unit of appeal does to the log-odds of a click, in place of the preset's.
    #[arg(long, value_name = "LOG-ODDS")]
    appeal: Option<f64>,
    /// Format of the log.
    #[arg(long, value_enum, default_value_t = LogName::Parquet)]
    log: LogName,
    #[command(flatten)]
    plugins: PluginArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PresetName {
    /// As hard as public logs: at best 56% to 60% of pairs of the paper's filter.
    Literature,
    /// At best about 90% of all pairs.
    Easy,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogName {
    Parquet,
    Csv,
    Jsonl,
}

impl MarketArgs {
    fn suite(&self) -> Result<Suite, Stop> {
        let is_suite = self.source.extension().is_some_and(|e| e == "toml")
            || (self.source.as_os_str() == "default" && !self.source.exists());
        let mut suite = if is_suite { bench::load(&self.source)? } else { self.of_products(&self.source) };
        if is_suite && !(self.prompt_generator.is_empty() && self.background.is_empty()) {
            let limit = suite.products.limit;
            suite = self.of_products(&suite.resolve(&suite.products.path));
            suite.products.limit = limit;
        }
        // Whatever judges and measures is not asked, and need not be installed.
        (suite.judges, suite.optimizers, suite.metrics) = (Vec::new(), Vec::new(), Vec::new());
        (suite.embedder, suite.reference) = (None, None);
        suite.seed = self.seed;
        suite.samples = self.samples.unwrap_or(suite.samples);
        suite.size = self.size.unwrap_or(suite.size);
        if suite.entries.is_empty() {
            return Err(Stop::new(format!(
                "{}: the suite has no [[entry]], so nothing to sell",
                self.source.display()
            )));
        }
        suite.check().map_err(|reason| Stop::new(format!("the command line: {reason}")))?;
        Ok(suite)
    }

    /// Each prompt generator with each background generator.
    fn of_products(&self, products: &Path) -> Suite {
        let or = |given: &[String], default: &str| {
            if given.is_empty() { vec![default.to_owned()] } else { given.to_vec() }
        };
        let prompts = or(&self.prompt_generator, "template-prompt");
        let backgrounds = or(&self.background, "scene-background");
        let entry = |prompt: &String, background: &String| Entry {
            id: format!("{prompt}.{background}").replace('/', "."),
            description: String::new(),
            prompt: PromptStep::new(prompt, Map::new()),
            background: BackgroundStep::new(background, Map::new()),
        };
        let entries = prompts.iter().flat_map(|p| backgrounds.iter().map(move |b| entry(p, b)));
        Suite { samples: 4, ..Suite::of_entries("market", products, entries.collect()) }
    }

    fn job(&self) -> Result<MarketJob, Stop> {
        let preset = match self.preset {
            PresetName::Literature => Preset::Literature,
            PresetName::Easy => Preset::Easy,
        };
        let mut settings = preset.settings();
        settings.impressions = self.impressions.unwrap_or(settings.impressions);
        settings.appeal = self.appeal.unwrap_or(settings.appeal);
        let market = Market::new(settings, self.seed)?;
        let log = match self.log {
            LogName::Parquet => LogFormat::Parquet,
            LogName::Csv => LogFormat::Csv,
            LogName::Jsonl => LogFormat::Jsonl,
        };
        Ok(MarketJob { suite: self.suite()?, limit: self.limit, preset, market, log, out: self.out.clone() })
    }
}

pub fn run(args: &MarketArgs, session: Session) -> Result<Finish, Stop> {
    let job = args.job()?;
    let cancel = interrupt::listen()?;
    let installed = args.plugins.open(cancel)?;
    let matting = CutOutNetwork::default();
    let report = Report::new(session.quiet);
    let services = Services { plugins: &installed, matting: &matting, progress: &report, cancel };
    let made = market::make(&job, &services);
    report.finish();
    let made = made?;
    if session.json { output::print_json(&made) } else { output::print(&page(&made)) }?;
    if made.failed > 0 {
        output::warn(&format!("{} creatives could not be made, and are not on sale", made.failed));
    }
    Ok(Finish::with_failures(made.failed > 0 || made.unusable_products > 0))
}

impl From<MarketError> for Stop {
    fn from(error: MarketError) -> Self {
        match error {
            MarketError::Bench(error) => error.into(),
            MarketError::Record(error) => error.into(),
            MarketError::Interrupted(_) => Self::interrupted(error.to_string()),
            _ => Self::new(error.to_string()),
        }
    }
}

fn page(made: &MarketResult) -> String {
    let MarketResult { market, truth, .. } = made;
    let share = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{:.1}%", 100.0 * value));
    let ceiling = |name: &str, of: &Ceiling| {
        [name.to_owned(), share(of.expected), share(of.drawn), share(of.estimated), of.pairs.to_string()]
    };
    let best = output::table(
        ["BEST POSSIBLE ACCURACY", "EXACT", "THIS LOG", "FROM CLICKS", "PAIRS"],
        [ceiling("the paper's filter", &truth.paper_pairs), ceiling("all pairs", &truth.all_pairs)],
    );
    let values = truth.values;
    let value = |name: &str, value: f64| [name.to_owned(), format!("{:.3}%", 100.0 * value)];
    let ctr = output::table(
        ["POLICY", "TRUE CTR"],
        [
            value("worst creative of each product", values.worst),
            value("uniform", values.uniform),
            value("the log's", values.logging),
            value("best creative of each product", values.best),
        ],
    );
    let matched = truth.product_match;
    format!(
        "{}\n\n{} products, {} creatives, {} impressions, {} clicks, {} pairs by the paper's filter.\n\n{best}\n{ctr}\n\
         {} of the scenes match their product; {} match one of another category.\n\nAll of it: {}\nThe truth, which no model may see: {}\n",
        market.synthetic,
        market.products,
        market.creatives,
        market.impressions,
        market.clicks,
        market.pairs,
        share(matched.rate),
        share(matched.rate_of_others),
        made.out,
        Path::new(&made.out).join("truth").display(),
    )
}
