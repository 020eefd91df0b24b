//! `cargo xtask parity`: how far the models are from the reference implementations, as a table that the tests write.

use crate::cargo;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Names the folder that `Parity` of the models' tests appends its rows to.
pub const VARIABLE: &str = "ADEVAL_PARITY";

const INTRODUCTION: &str = "\
# How far from the reference

`cargo xtask parity` runs the models' and the optimizers' tests against goldens that the scripts `fixtures/scripts/goldens_*.py`
made with the reference implementations, and writes this page. Every row is asserted in every test run: an error above its
limit fails it. The weights are random and small, in the published layouts: no package ships Stable Diffusion's. Errors are from
the machine that last ran the command; others may differ in the last digit.

*Max relative* is the largest difference over the largest value of the reference.
";

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    reference: String,
    case: String,
    measure: String,
    value: String,
    limit: String,
}

/// Runs the tests against goldens and writes `docs/parity.md`.
pub fn run(workspace: &Workspace) -> Result<()> {
    let rows = tempfile::tempdir().context("there is no room for the rows")?;
    let mut test = cargo::command(workspace, "test --release --workspace");
    test.env(VARIABLE, rows.path());
    for crate_with_goldens in ["plugins/models", "plugins/preference-optimizers"] {
        for name in test_names(&workspace.root().join(crate_with_goldens).join("tests"))? {
            test.args(["--test", &name]);
        }
    }
    cargo::run(&mut test).context("a parity test failed: the page is left as it was")?;
    let page = page(&read(rows.path())?);
    let path = workspace.root().join("docs/parity.md");
    std::fs::write(&path, page).with_context(|| format!("{} cannot be written", path.display()))
}

fn test_names(folder: &Path) -> Result<Vec<String>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "rs") {
            names.extend(path.file_stem().and_then(|n| n.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}

/// The rows of every section, each file one section.
fn read(folder: &Path) -> Result<BTreeMap<String, Vec<Row>>> {
    let mut sections = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let mut rows = text.lines().map(row).collect::<Result<Vec<_>>>()?;
        // Tests run side by side and write as they finish.
        rows.sort_by(|a, b| a.case.cmp(&b.case).then_with(|| a.measure.cmp(&b.measure)));
        let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        sections.insert(name, rows);
    }
    ensure!(!sections.is_empty(), "no test wrote a row: is {VARIABLE} still read by the tests' support?");
    Ok(sections)
}

fn row(line: &str) -> Result<Row> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [reference, case, measure, value, limit] = fields[..] else {
        anyhow::bail!("a row of the table has {} fields: {line}", fields.len());
    };
    let [reference, case, measure, value, limit] =
        [reference, case, measure, value, limit].map(str::to_owned);
    Ok(Row { reference, case, measure, value, limit })
}

/// The table that leads the page, of the rows that tests wrote to `folder`.
pub fn overview(folder: &Path) -> Result<String> {
    Ok(lead(&read(folder)?))
}

fn lead(sections: &BTreeMap<String, Vec<Row>>) -> String {
    let mut page = String::new();
    page.push_str("| part | reference | cases | closest to its limit | error | limit |\n");
    page.push_str("| --- | --- | ---: | --- | ---: | ---: |\n");
    for (name, rows) in sections {
        let Some(worst) = rows.iter().max_by(|a, b| share(a).total_cmp(&share(b))) else { continue };
        let Row { reference, case, value, limit, .. } = worst;
        let _ = writeln!(page, "| {name} | {reference} | {} | {case} | {value} | {limit} |", rows.len());
    }
    page
}

fn page(sections: &BTreeMap<String, Vec<Row>>) -> String {
    let mut page = format!("{INTRODUCTION}\n{}", lead(sections));
    for (name, rows) in sections {
        let _ =
            writeln!(page, "\n## {name}\n\n| case | measure | error | limit |\n| --- | --- | ---: | ---: |");
        for Row { case, measure, value, limit, .. } in rows {
            let _ = writeln!(page, "| {case} | {measure} | {value} | {limit} |");
        }
    }
    page
}

/// The error as a share of its limit; an error of a limit of zero can only be zero.
fn share(row: &Row) -> f64 {
    let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let share = number(&row.value) / number(&row.limit);
    if share.is_nan() { 0.0 } else { share }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_leads_with_the_case_closest_to_its_limit() {
        let lines = ["torch 2\ta\tmax relative\t1.0e-7\t1e-5", "torch 2\tb\tmax relative\t4.0e-6\t1e-5"];
        let rows = lines.iter().map(|line| row(line)).collect::<Result<Vec<_>>>().unwrap();
        let page = page(&BTreeMap::from([("unet".to_owned(), rows)]));
        assert!(page.contains("| unet | torch 2 | 2 | b | 4.0e-6 | 1e-5 |"), "{page}");
        assert!(page.contains("| a | max relative | 1.0e-7 | 1e-5 |"), "{page}");
    }

    #[test]
    fn a_row_that_is_cut_off_is_refused() {
        assert!(row("torch\ta\tmax").is_err());
    }
}
