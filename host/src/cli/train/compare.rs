//! `adeval train compare`.

use crate::cli::exit::{Finish, Stop};
use crate::cli::{Session, output};
use crate::store::write_whole;
use crate::train::compare::rewards::{self, RewardComparison};
use crate::train::compare::{self, Axis, Comparison, Difference, EqualKl, KL, METRICS};
use adeval_eval::Estimate;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  adeval train compare pcpo=runs/pcpo-1,runs/pcpo-2,runs/pcpo-3 dpo=runs/dpo-1,runs/dpo-2,runs/dpo-3
  adeval train compare pcpo=runs/pcpo-1,runs/pcpo-2 dpo=runs/dpo-1,runs/dpo-2 --plot curves.svg --by kl
  adeval train compare judges=runs/reward-1,runs/reward-2,runs/reward-3

The first trainings of all groups are one pair, and so on: give the seeds in the same order. Values are of held-out products at the
last epoch; a change is from epoch 0. Methods that go different ways in an epoch are compared where they are equally far from their
references, too. One group of trainings of reward models becomes their table, means over the seeds. Intervals are Student's over
trainings, and not corrected for their number.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CompareArgs {
    /// NAME=DIR,DIR,...: directories of finished trainings by rewards, or of reward models, one a seed.
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    /// Confidence level of the intervals.
    #[arg(long, value_name = "LEVEL", default_value_t = 0.95)]
    level: f64,
    /// Draw the curves into an SVG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// What the curves run over.
    #[arg(long, value_enum, default_value_t, requires = "plot")]
    by: Axis,
    /// The title of the drawing.
    #[arg(long, value_name = "TEXT", default_value = "Held-out products", requires = "plot")]
    title: String,
}

pub fn run(args: &CompareArgs, session: Session) -> Result<Finish, Stop> {
    if !(args.level > 0.0 && args.level < 1.0) {
        return Err(Stop::new(format!("--level is {}; it must lie between 0 and 1", args.level)));
    }
    if let [group] = &args.groups[..]
        && let Some(runs) = rewards::read(group)?
    {
        let compared = rewards::compare(&runs, args.level);
        return if session.json {
            output::print_json(&compared)
        } else {
            output::print(&rewards_page(&compared))
        };
    }
    let groups = args.groups.iter().map(|text| compare::read(text)).collect::<Result<Vec<_>, _>>()?;
    let compared = compare::compare(&groups, args.level)?;
    if let Some(path) = &args.plot {
        write_whole(path, compare::draw(&compared, &args.title, args.by).as_bytes())?;
    }
    if session.json { output::print_json(&compared) } else { output::print(&page(&compared)) }
}

fn page(compared: &Comparison) -> String {
    let known: Vec<(&str, &str)> = METRICS
        .into_iter()
        .filter(|(metric, _)| compared.groups.iter().any(|group| group.epochs.contains_key(*metric)))
        .collect();
    let mut page = String::new();
    for (metric, title) in &known {
        let rows = compared.groups.iter().filter_map(|group| {
            let curve = group.epochs.get(*metric)?;
            let change = group.changes.get(*metric)?;
            let cell = |estimate: &Estimate| in_full(metric, estimate);
            Some([group.name.clone(), cell(curve.first()?), cell(curve.last()?), cell(change)])
        });
        page += &output::table([title, "Epoch 0", "Last epoch", "Change"], rows);
        page.push('\n');
    }
    page += &differences("Last epoch", &known, &compared.differences);
    if let Some(equal) = &compared.equal_kl {
        page += &at_equal_kl(&known, equal);
    }
    let runs = compared.groups.first().map_or(0, |group| group.runs);
    let level = 100.0 * compared.level;
    page += &format!(
        "{runs} trainings a group, paired; shares in percent, KL from the start in nats an answer. {level:.0}%\nintervals over trainings, not corrected for their number.\n"
    );
    if known.iter().any(|(_, title)| title.ends_with('*')) {
        page += "* In a synthetic market, of which neither policy nor judge knows.\n";
    }
    page
}

/// Reward models over seeds.
fn rewards_page(compared: &RewardComparison) -> String {
    let head = ["Model", "Accuracy", "Behind", "Of ceiling", "Swap", "ECE", "True order*"];
    let truth = compared.models.iter().any(|model| model.true_order.is_some());
    let columns = if truth { 7 } else { 6 };
    let rows = compared.models.iter().map(|model| {
        let share = |estimate: &Estimate| tenths(estimate);
        let maybe = |estimate: &Option<Estimate>| estimate.as_ref().map_or_else(|| "-".to_owned(), share);
        let cells = [
            model.id.clone(),
            share(&model.accuracy),
            maybe(&model.behind),
            share(&model.share_of_ceiling),
            maybe(&model.swap_consistency),
            share(&model.ece),
            maybe(&model.true_order),
        ];
        cells.into_iter().take(columns).collect::<Vec<_>>()
    });
    let mut page = output::table_of(head.into_iter().take(columns), rows);
    page += &format!(
        "\n{} trainings; in percent; {:.0}% intervals over trainings, not corrected for their number. Behind:\naccuracy less that of the first model, paired by training.\n",
        compared.runs,
        100.0 * compared.level
    );
    if !compared.incomplete.is_empty() {
        page += &format!("Not in every training, and left out: {}.\n", compared.incomplete.join(", "));
    }
    if truth {
        page += "* In the synthetic market: the share of test pairs whose truly better creative is named.\n";
    }
    if let Some(synthetic) = &compared.synthetic {
        page += &format!("{synthetic}\n");
    }
    page
}

/// A share in percent with half of its interval, to a tenth: seven of them stand in a row.
fn tenths(estimate: &Estimate) -> String {
    let value = format!("{:.1}", 100.0 * estimate.value);
    match estimate.high {
        Some(high) => format!("{value} ±{:.1}", 100.0 * (high - estimate.value)),
        None => value,
    }
}

/// Keys of metrics and their titles.
type Known<'a> = [(&'a str, &'a str)];

fn differences(title: &str, known: &Known<'_>, differences: &[Difference]) -> String {
    if differences.is_empty() {
        return String::new();
    }
    let head = std::iter::once(title).chain(known.iter().map(|(_, title)| *title));
    let rows = differences.iter().map(|one| {
        let cell =
            |(metric, _): &(&str, &str)| one.last.get(*metric).map_or_else(String::new, |e| short(metric, e));
        let name = format!("{} - {}", one.first, one.second);
        std::iter::once(name).chain(known.iter().map(cell)).collect::<Vec<_>>()
    });
    output::table_of(head, rows) + "\n"
}

/// The groups where all are equally far from their references.
fn at_equal_kl(known: &Known<'_>, equal: &EqualKl) -> String {
    let known: Vec<(&str, &str)> = known.iter().filter(|(metric, _)| *metric != KL).copied().collect();
    let title = format!("At KL {:.2}", equal.kl);
    let head = std::iter::once(title.as_str()).chain(known.iter().map(|(_, title)| *title));
    let rows = equal.groups.iter().map(|(name, values)| {
        let cell =
            |(metric, _): &(&str, &str)| values.get(*metric).map_or_else(String::new, |e| half(metric, e));
        std::iter::once(name.clone()).chain(known.iter().map(cell)).collect::<Vec<_>>()
    });
    output::table_of(head, rows) + "\n" + &differences(&title, &known, &equal.differences)
}

/// Shares in percent, the divergence as it is.
fn factor(metric: &str) -> f64 {
    if metric == KL { 1.0 } else { 100.0 }
}

fn in_full(metric: &str, estimate: &Estimate) -> String {
    let [value, low, high] =
        [Some(estimate.value), estimate.low, estimate.high].map(|v| v.map(|v| factor(metric) * v));
    match (value, low, high) {
        (Some(value), Some(low), Some(high)) => format!("{value:.2} ({low:.2} to {high:.2})"),
        (value, ..) => format!("{:.2}", value.unwrap_or_default()),
    }
}

/// The same in less room: half of the interval's width.
fn half(metric: &str, estimate: &Estimate) -> String {
    let value = format!("{:.2}", factor(metric) * estimate.value);
    match estimate.high {
        Some(high) => format!("{value} ± {:.2}", factor(metric) * (high - estimate.value)),
        None => value,
    }
}

/// A difference.
fn short(metric: &str, estimate: &Estimate) -> String {
    let sign = if estimate.value.is_sign_negative() { "" } else { "+" };
    format!("{sign}{}", half(metric, estimate))
}
