//! `adeval data import`: public data sets into adeval's tables.

use crate::cli::Session;
use crate::cli::eval::source::{SourceArgs, finish, show};
use crate::cli::eval::text;
use crate::cli::exit::{Finish, Stop};
use crate::cli::output;
use crate::records::import::{
    CaigKind, CreativeRanking, DAYS_HEADER, Funnel, OpenBandit, PairFilter, Smoothing, Target, import_caig,
};
use crate::records::{Cell, Field, Kind, Place, Problem, RowReport, Writer};
use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::path::{Path, PathBuf};

const RANKING_EXAMPLES: &str = "\
Lines of item, image, date, impressions and clicks, with tabs between and no header. They become
creative totals for `adeval eval ranking` (a row a day, or a row a creative), or pairs by the
paper's filter: both creatives of one item with more than 1000 impressions, a click each, and a
ratio of CTRs from 1.05 to 1.20, the side drawn at random. Pairs wait for a judge's answers in a
column p_left, and then go to `adeval eval pairs`. Smoothed CTRs are (clicks + alpha) /
(impressions + alpha + beta).

Examples:
  adeval data import creative-ranking train_data_list.txt --out days.parquet
  adeval data import creative-ranking test_data_list.txt --out pairs.csv --to pairs --seed 1
  adeval data import creative-ranking train_data_list.txt --out totals.csv --to creatives";

const BANDIT_EXAMPLES: &str = "\
One file of a campaign and policy, such as random/all/all.csv, becomes a log for `adeval eval
ope`: the item is the creative, the campaign the product. Columns of users' features are left out,
and counted. For policies that look at the position give --by-position: each position is a product
of its own, and rows are what is resampled.

Examples:
  adeval data import open-bandit obd/random/all/all.csv --out random-all.parquet --campaign all
  adeval data import open-bandit obd/bts/men/men.csv --out bts-men.csv --campaign men --by-position";

const CAIG_EXAMPLES: &str = "\
Three kinds of files, told by what is in them: an object of pairs with clicks and impressions
becomes judged pairs without answers; the reward model's test (left_ctr, right_ctr, target)
becomes labelled pairs, whose targets must have the higher CTR; products with new_caption become a
products.json.

Examples:
  adeval data import caig ali_test_filter_1000_5_20.json --out pairs.csv
  adeval data import caig ali_reward_testset_1000_0.05_0.20.json --out labelled.jsonl
  adeval data import caig tiny.json --out products.json";

#[derive(Subcommand)]
pub enum ImportCommand {
    /// Alimama's CreativeRanking: clicks and impressions of creatives by day.
    CreativeRanking(RankingArgs),
    /// The Open Bandit Dataset: what was shown, with its propensity and the click.
    OpenBandit(BanditArgs),
    /// The JSON files of the paper's repository: pairs, the reward model's test, products.
    Caig(CaigArgs),
}

/// Where rows go.
#[derive(Debug, Clone, clap::Args)]
pub struct OutArgs {
    /// The file to write: .csv, .tsv, .jsonl (also with .gz behind) or .parquet; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write each row that is left out to this file: file, place, column, reason, message.
    #[arg(long, value_name = "FILE", requires = "skip_bad_rows")]
    rejects: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(after_help = RANKING_EXAMPLES)]
pub struct RankingArgs {
    /// A list of the data set: .txt or .tsv.
    file: PathBuf,
    #[command(flatten)]
    out: OutArgs,
    /// What to write.
    #[arg(long, value_enum, default_value_t = To::Days)]
    to: To,
    /// Clicks that the Beta prior adds; VAM's.
    #[arg(long, default_value_t = 2.0402)]
    alpha: f64,
    /// Impressions without a click that it adds; VAM's.
    #[arg(long, default_value_t = 54.0625)]
    beta: f64,
    /// Pairs: both creatives need more impressions than this.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    min_impressions: u64,
    /// Pairs: smallest ratio of the higher CTR to the lower.
    #[arg(long, value_name = "RATIO", default_value_t = 1.05)]
    min_ratio: f64,
    /// Pairs: largest ratio.
    #[arg(long, value_name = "RATIO", default_value_t = 1.20)]
    max_ratio: f64,
    /// Pairs: seed of the sides.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// Creative totals, a row for each creative and day.
    Days,
    /// Creative totals, a row for each creative, with its smoothed CTR.
    Creatives,
    /// Pairs by the paper's filter.
    Pairs,
}

#[derive(clap::Args)]
#[command(after_help = BANDIT_EXAMPLES)]
pub struct BanditArgs {
    /// A log of the data set: .csv.
    file: PathBuf,
    #[command(flatten)]
    out: OutArgs,
    /// What the decisions are about: the name of the campaign.
    #[arg(long, value_name = "NAME", default_value = "campaign")]
    campaign: String,
    /// Make each position a product of its own.
    #[arg(long)]
    by_position: bool,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(clap::Args)]
#[command(after_help = CAIG_EXAMPLES)]
pub struct CaigArgs {
    /// A file of the paper's repository: .json.
    file: PathBuf,
    #[command(flatten)]
    out: OutArgs,
    /// Leave out entries that cannot be used, and count them by reason; without, the first one is an error.
    #[arg(long)]
    skip_bad_rows: bool,
}

/// What `adeval data import --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ImportResult {
    /// The file that was read.
    pub source: String,
    /// What became of its rows.
    pub rows: RowReport,
    /// The file that was written.
    pub out: String,
    /// Rows of that.
    pub written: u64,
    /// How pairs were chosen; absent where none were.
    pub pairs: Option<Funnel>,
    /// What to mind.
    pub notes: Vec<String>,
}

pub fn run(command: &ImportCommand, session: Session) -> Result<Finish, Stop> {
    let result = match command {
        ImportCommand::CreativeRanking(args) => ranking(args, session),
        ImportCommand::OpenBandit(args) => bandit(args, session),
        ImportCommand::Caig(args) => caig(args),
    }?;
    show(&result, page, session)?;
    Ok(finish([&result.rows]))
}

fn ranking(args: &RankingArgs, session: Session) -> Result<ImportResult, Stop> {
    for (name, value) in [("alpha", args.alpha), ("beta", args.beta)] {
        if !(value >= 0.0 && value.is_finite()) || args.alpha + args.beta <= 0.0 {
            return Err(Stop::new(format!(
                "--{name} is {value}; a Beta prior adds 0 or more clicks, and not nothing at all"
            )));
        }
    }
    if !(args.min_ratio >= 1.0 && args.min_ratio <= args.max_ratio) {
        let (low, high) = (args.min_ratio, args.max_ratio);
        return Err(Stop::new(format!(
            "--min-ratio {low} and --max-ratio {high}: ratios are 1 or more, the largest last"
        )));
    }
    let smoothing = Smoothing { alpha: args.alpha, beta: args.beta };
    let filter = PairFilter {
        min_impressions: args.min_impressions,
        min_ratio: args.min_ratio,
        max_ratio: args.max_ratio,
        seed: args.seed,
    };
    let target = match args.to {
        To::Days => Target::Days,
        To::Creatives => Target::Creatives(smoothing),
        To::Pairs => Target::Pairs(filter, smoothing),
    };
    let mut table = CreativeRanking::new(target, &args.out.out).map_err(Stop::new)?;
    let rejects = Rejects::new(&args.file, args.out.rejects.as_deref())?;
    let told = |place: Place, problem: &Problem| rejects.add(place, problem);
    let rows = args.source.read_as(&args.file, Some(&DAYS_HEADER), &told, &mut table, session)?;
    rejects.finish()?;
    let (written, pairs, unchecked) = table.finish().map_err(Stop::new)?;
    let mut notes = Vec::new();
    if unchecked > 0 {
        notes.push(format!("{unchecked} rows came after 14.7 million others, and were not checked against each other for repetition"));
    }
    if pairs.is_some() {
        notes.push(
            "pairs have no answers of a judge yet: add a column p_left before `adeval eval pairs`".into(),
        );
    }
    Ok(args.out.result(&args.file, rows, written, pairs, notes))
}

fn bandit(args: &BanditArgs, session: Session) -> Result<ImportResult, Stop> {
    let mut table = OpenBandit::new(&args.campaign, args.by_position, &args.out.out).map_err(Stop::new)?;
    let rejects = Rejects::new(&args.file, args.out.rejects.as_deref())?;
    let told = |place: Place, problem: &Problem| rejects.add(place, problem);
    let rows = args.source.read_as(&args.file, None, &told, &mut table, session)?;
    rejects.finish()?;
    let (written, features) = table.finish().map_err(Stop::new)?;
    let notes = vec![format!(
        "{features} columns of users' features and affinities are left out: no table of adeval has them"
    )];
    Ok(args.out.result(&args.file, rows, written, None, notes))
}

fn caig(args: &CaigArgs) -> Result<ImportResult, Stop> {
    let rejects = Rejects::new(&args.file, args.out.rejects.as_deref())?;
    let mut told = |place: Place, problem: &Problem| rejects.add(place, problem);
    let report = import_caig(&args.file, &args.out.out, args.skip_bad_rows, &mut told)?;
    rejects.finish()?;
    let mut notes = Vec::new();
    match report.kind {
        Some(CaigKind::CountedPairs) => notes.push("the file numbers its pairs, so each is a product of its own here: intervals over products take pairs of one product for independent".into()),
        Some(CaigKind::LabelledPairs) => notes.push("labelled pairs have no clicks and impressions: accuracy on them has no noise ceiling, and `adeval eval pairs` does not read them".into()),
        _ => {}
    }
    if report.contradicted > 0 {
        notes.push(format!("{} answers in words name the other side than their target; the target was kept, the words were not", report.contradicted));
    }
    Ok(args.out.result(&args.file, report.rows, report.written, None, notes))
}

impl OutArgs {
    fn result(
        &self,
        source: &Path,
        rows: RowReport,
        written: u64,
        pairs: Option<Funnel>,
        notes: Vec<String>,
    ) -> ImportResult {
        let out = self.out.display().to_string();
        ImportResult { source: source.display().to_string(), rows, out, written, pairs, notes }
    }
}

/// The rows that were left out, in a file of their own.
struct Rejects {
    file: String,
    writer: RefCell<Option<Writer>>,
    failed: RefCell<Option<String>>,
}

impl Rejects {
    fn new(file: &Path, path: Option<&Path>) -> Result<Self, Stop> {
        let fields = || {
            ["file", "place", "column", "reason", "message"].map(|name| Field::new(name, Kind::Text)).into()
        };
        let writer = path.map(|path| Writer::create(path, fields())).transpose().map_err(Stop::new)?;
        Ok(Self {
            file: file.display().to_string(),
            writer: RefCell::new(writer),
            failed: RefCell::new(None),
        })
    }

    fn add(&self, place: Place, problem: &Problem) {
        let Some(writer) = &mut *self.writer.borrow_mut() else { return };
        let own = |text: String| Cell::Text(text.into());
        let column = problem.column.clone().map_or(Cell::Missing, own);
        let cells = [
            own(self.file.clone()),
            own(place.to_string()),
            column,
            own(problem.reason.to_string()),
            own(problem.message.clone()),
        ];
        if let Err(error) = writer.row(&cells) {
            self.failed.borrow_mut().get_or_insert(error);
        }
    }

    fn finish(self) -> Result<(), Stop> {
        if let Some(error) = self.failed.into_inner() {
            return Err(Stop::new(error));
        }
        self.writer.into_inner().map(Writer::finish).transpose().map_err(Stop::new)?;
        Ok(())
    }
}

fn page(result: &ImportResult) -> String {
    let rows = &result.rows;
    let mut page = format!(
        "{}: {} rows read, {} used, {} left out\n{}: {} rows written\n",
        result.source,
        rows.read,
        rows.used,
        rows.missing(),
        result.out,
        result.written
    );
    if !rows.left_out.is_empty() {
        let row = |l: &crate::records::LeftOut| {
            [l.reason.to_string(), l.rows.to_string(), l.place.to_string(), l.first.clone()]
        };
        page += &format!(
            "\n{}",
            output::table(
                ["LEFT OUT", "ROWS", "FIRST", "WHAT IS WRONG WITH THAT"],
                rows.left_out.iter().map(row)
            )
        );
    }
    if let Some(f) = &result.pairs {
        let step = |name: &str, count: u64| [name.to_owned(), count.to_string()];
        page += "\n";
        page += &output::table(
            ["FILTER OF PAIRS", "LEFT"],
            [
                step("items", f.items),
                step("their creatives", f.creatives),
                step("with enough impressions", f.shown_enough),
                step("and a click", f.clicked),
                step("pairs of those", f.pairs),
                step("with a ratio of CTRs in bounds", f.kept),
            ],
        );
    }
    page + &text::notes(&result.notes)
}
