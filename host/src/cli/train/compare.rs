//! `adeval train compare`.

use crate::cli::exit::{Finish, Stop};
use crate::cli::{Session, output};
use crate::store::write_whole;
use crate::train::compare::{self, Comparison, METRICS};
use adeval_eval::Estimate;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  adeval train compare pcpo=runs/pcpo-1,runs/pcpo-2,runs/pcpo-3 dpo=runs/dpo-1,runs/dpo-2,runs/dpo-3
  adeval train compare pcpo=runs/pcpo-1,runs/pcpo-2 dpo=runs/dpo-1,runs/dpo-2 --plot curves.svg --json

The first trainings of all groups are one pair, and so on: give the seeds in the same order. Values are of held-out products at the
last epoch; a change is from epoch 0. Intervals are Student's over trainings, and not corrected for their number.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CompareArgs {
    /// NAME=DIR,DIR,...: directories of finished trainings by rewards, one a seed.
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    /// Confidence level of the intervals.
    #[arg(long, value_name = "LEVEL", default_value_t = 0.95)]
    level: f64,
    /// Draw the curves over epochs into an SVG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// The title of the drawing.
    #[arg(long, value_name = "TEXT", default_value = "Held-out products by epoch", requires = "plot")]
    title: String,
}

pub fn run(args: &CompareArgs, session: Session) -> Result<Finish, Stop> {
    if !(args.level > 0.0 && args.level < 1.0) {
        return Err(Stop::new(format!("--level is {}; it must lie between 0 and 1", args.level)));
    }
    let groups = args.groups.iter().map(|text| compare::read(text)).collect::<Result<Vec<_>, _>>()?;
    let compared = compare::compare(&groups, args.level)?;
    if let Some(path) = &args.plot {
        write_whole(path, compare::draw(&compared, &args.title).as_bytes())?;
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
            Some([group.name.clone(), percent(curve.first()?), percent(curve.last()?), percent(change)])
        });
        page += &output::table([title, "Epoch 0", "Last epoch", "Change"], rows);
        page.push('\n');
    }
    let head = std::iter::once("Last epoch").chain(known.iter().map(|(_, title)| *title));
    let rows = compared.differences.iter().map(|one| {
        let cells = known.iter().map(|(metric, _)| one.last.get(*metric).map_or_else(String::new, short));
        std::iter::once(format!("{} - {}", one.first, one.second)).chain(cells).collect::<Vec<_>>()
    });
    if !compared.differences.is_empty() {
        page += &output::table_of(head, rows);
        page.push('\n');
    }
    let runs = compared.groups.first().map_or(0, |group| group.runs);
    let level = 100.0 * compared.level;
    page += &format!(
        "{runs} trainings a group, paired; in points of a percent; {level:.0}% intervals over trainings, not corrected for their number.\n"
    );
    if known.iter().any(|(_, title)| title.ends_with('*')) {
        page += "* In a synthetic market, of which neither policy nor judge knows.\n";
    }
    page
}

fn percent(estimate: &Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => {
            format!("{:.2} ({:.2} to {:.2})", 100.0 * estimate.value, 100.0 * low, 100.0 * high)
        }
        _ => format!("{:.2}", 100.0 * estimate.value),
    }
}

/// The same in less room: half of the interval's width.
fn short(estimate: &Estimate) -> String {
    match estimate.high {
        Some(high) => format!("{:+.2} ± {:.2}", 100.0 * estimate.value, 100.0 * (high - estimate.value)),
        None => format!("{:+.2}", 100.0 * estimate.value),
    }
}
