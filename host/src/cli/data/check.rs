//! `adeval data check`: what is in a table, what is wrong with it, and what is odd.

use crate::cli::Session;
use crate::cli::eval::source::{show, with_progress};
use crate::cli::eval::text;
use crate::cli::exit::{Finish, Stop};
use crate::cli::output;
use crate::records::{
    Checked, Inventory, LeftOut, ReadOptions, RecordError, RowReport, TableKind, header, mend,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Reads the whole file, past rows that cannot be used, and counts what is wrong by reason, each with
its first place. The table is told from the columns: left and right are pairs, impressions and
clicks are creative totals, propensity is a bandit log (with slate and probability one of slates),
probability or score are policies; left and right with an answer and without clicks are judgements.
docs/logs.md has the columns of each.

Exit codes: 0 all can be used (remarks may be there), 1 some of it cannot.

Examples:
  adeval data check log.parquet
  adeval data check export.csv --table totals
  adeval data check log.jsonl.gz --json | jq '.rows.left_out[] | [.reason, .rows, .first_row]'";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// The table: .csv, .tsv, .jsonl or .parquet.
    file: PathBuf,
    /// Which table it is; told from its columns without.
    #[arg(long, value_enum)]
    table: Option<TableKind>,
}

/// What `adeval data check --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CheckedFile {
    /// The file.
    pub file: String,
    /// Which table it is.
    pub table: TableKind,
    /// Its rows: those that cannot be used by reason, and columns that the table does not know.
    pub rows: RowReport,
    /// What is in the rows that can be used.
    pub inventory: Inventory,
    /// What ended the reading, or does not go together; nothing can be computed from the file as it is.
    pub broken: Vec<String>,
    /// What is odd, but no error.
    pub remarks: Vec<String>,
}

pub fn run(args: &CheckArgs, session: Session) -> Result<Finish, Stop> {
    let table = match args.table {
        Some(table) => table,
        None => TableKind::of(&header(&args.file)?).ok_or_else(|| {
            Stop::new(format!("{}: the columns do not say which table it is", args.file.display()))
                .help("name it with --table; docs/logs.md has the columns of each")
        })?,
    };
    let mut checked = Checked::new(table);
    let options = ReadOptions { skip_bad_rows: true, past_unknown: true, ..ReadOptions::default() };
    let (rows, error) = with_progress(&args.file, options, &mut checked, session);
    let error = error.filter(|e| !matches!(e, RecordError::NothingLeft { .. }));
    // Without a row there is nothing to report on.
    if rows.read == 0
        && let Some(error) = error
    {
        return Err(error.into());
    }
    let (inventory, together) = checked.finish();
    let broken: Vec<String> = error.map(|e| e.to_string()).into_iter().chain(together).collect();
    let remarks = remarks(table, &rows, &inventory);
    let file = args.file.display().to_string();
    let result = CheckedFile { file, table, rows, inventory, broken, remarks };
    show(&result, page, session)?;
    let clean = result.broken.is_empty() && result.rows.missing() == 0 && result.rows.ignored.is_empty();
    Ok(if clean { Finish::Done } else { Finish::Refuted })
}

fn remarks(table: TableKind, rows: &RowReport, found: &Inventory) -> Vec<String> {
    let mut remarks = Vec::new();
    if found.single > 0 {
        remarks.push(format!(
            "{} of {} products have one creative only: nothing to choose there",
            found.single, found.products
        ));
    }
    if let Some([pairs, single]) = found.pairs.filter(|[_, single]| *single > 0) {
        remarks.push(format!(
            "{single} of {pairs} pairs were asked about in one order only: a judge's liking for a side cannot be told from its taste"
        ));
    }
    if found.never_shown > 0 {
        remarks.push(format!("{} creatives have no impression", found.never_shown));
    }
    // A log of one product is resampled by rounds.
    let by_rounds = matches!(table, TableKind::Decisions | TableKind::Slates) && found.products == 1;
    if found.products > 0 && found.products < 30 && table != TableKind::Policies && !by_rounds {
        remarks.push(format!(
            "{} products are few: intervals over products are rough below some 30",
            found.products
        ));
    }
    if let Some([low, _]) = found.propensity.filter(|[low, _]| *low < 1e-3) {
        remarks.push(format!(
            "the smallest propensity is {low}: one such decision can weigh {:.0} others",
            1.0 / low
        ));
    }
    if let Some([low, high]) = found.propensity.filter(|[low, high]| low == high) {
        remarks.push(format!(
            "every propensity is {low}: right for a uniform log only{}",
            if high >= 1.0 {
                ", and with a chance of 1 the log says nothing about other creatives"
            } else {
                ""
            }
        ));
    }
    if found.clicks == Some(0) && rows.used > 0 {
        remarks.push("there is no click at all".into());
    }
    if found.clicks.is_some_and(|c| c == found.impressions) && rows.used > 0 {
        remarks.push("every impression was clicked: were impressions without a click left out?".into());
    }
    if found.unchecked > 0 {
        remarks.push(format!(
            "{} ids came after 14.7 million others, and were not checked against each other",
            found.unchecked
        ));
    }
    remarks
}

fn page(result: &CheckedFile) -> String {
    let (rows, found) = (&result.rows, &result.inventory);
    let table = match result.table {
        TableKind::Decisions => "decisions",
        TableKind::Pairs => "judged pairs",
        TableKind::Totals => "creative totals",
        TableKind::Policies => "policies",
        TableKind::Judgements => "judgements",
        TableKind::Slates => "slates",
    };
    let mut page = format!("{}: a table of {table}\n\n", result.file);
    let line = |name: &str, value: String| [name.to_owned(), value];
    let mut lines = vec![
        line("rows", rows.read.to_string()),
        line("that can be used", rows.used.to_string()),
        line("products", found.products.to_string()),
    ];
    if let (Some(entries), Some(judges), Some([pairs, _])) = (found.entries, found.judges, found.pairs) {
        lines.extend(
            [("entries", entries), ("judges", judges), ("pairs", pairs)].map(|(n, v)| line(n, v.to_string())),
        );
    } else {
        lines.extend(found.slates.map(|slates| line("slates", slates.to_string())));
        lines.push(line("with one creative only", found.single.to_string()));
        lines.push(line("creatives", found.creatives.to_string()));
    }
    if !matches!(result.table, TableKind::Policies | TableKind::Judgements) {
        lines.push(line("impressions", found.impressions.to_string()));
    }
    lines.extend(found.clicks.map(|clicks| line("clicks", clicks.to_string())));
    if let Some(clicks) = found.clicks.filter(|_| found.impressions > 0) {
        lines.push(line(
            "click-through rate",
            format!("{:.3}%", 100.0 * clicks as f64 / found.impressions as f64),
        ));
    }
    lines.extend(found.propensity.map(|[low, high]| line("propensity", format!("{low} to {high}"))));
    page += &output::table(["WHAT IS THERE", ""], lines);
    if !rows.left_out.is_empty() {
        let row = |l: &LeftOut| {
            let first = format!("{}, {}", l.place, l.first);
            [l.reason.to_string(), l.rows.to_string(), first, mend(l.reason).to_owned()]
        };
        page += &format!(
            "\n{}",
            output::table(["CANNOT BE USED", "ROWS", "THE FIRST", "MEND"], rows.left_out.iter().map(row))
        );
    }
    for name in &rows.ignored {
        page += &format!(
            "\nUnknown column \"{name}\": rename it, or pass --ignore {name} to the command that reads the table\n"
        );
    }
    for broken in &result.broken {
        page += &format!("\nBroken: {broken}\n");
    }
    page + &text::notes(&result.remarks)
}
