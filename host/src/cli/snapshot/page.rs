//! What people read of a snapshot's test.

use super::{Tested, Work, image_bytes};
use crate::snapshot::{Change, Difference, JsonChange, Snapshot};
use adeval_sdk::testkit::machine_class;
use serde_json::Value;
use std::path::Path;

/// Values of one item of the metrics that are printed; the report has all.
const MOST_VALUES: usize = 6;

/// The page of a test: what was compared, each difference, and what to do.
pub fn of_test(work: &Work<'_>, tested: &Tested) -> String {
    let Tested { old, taken, differences } = tested;
    let new = &taken.snapshot;
    let mut page = format!(
        "{} prompts, {} creatives, {} embeddings, {} tables of metrics against {}\n",
        new.prompts.len(),
        new.images.len(),
        new.embeddings.len(),
        new.metrics.len(),
        work.folder.display()
    );
    page += &made_on(work, old);
    for difference in differences {
        page += &format!("\n{}", of_difference(difference));
    }
    for failure in &taken.failures {
        page += &format!("\nfailed: {failure}\n");
    }
    let suite = work.suite.file.display();
    page += &match differences.len() {
        0 => "Everything is as it was accepted.\n".to_owned(),
        count => format!(
            "\n{count} difference{}; the report and the pictures are in {}\n\
             If they are wanted: adeval snapshot review {suite}, or all at once: adeval snapshot accept {suite}\n",
            if count == 1 { "" } else { "s" },
            work.out.display()
        ),
    };
    page
}

/// On what the snapshot was made, and whose limits are used.
fn made_on(work: &Work<'_>, old: &Snapshot) -> String {
    let (then, now) = (&old.manifest, machine_class());
    let mut line = format!("Made on {} by adeval {}", then.machine, then.adeval_version);
    if then.machine != now {
        line += &format!("; this is {now}");
    }
    match &work.tolerances_file {
        Some(file) => line + &format!("; tolerances of {}\n", file.display()),
        None => line + "; default tolerances\n",
    }
}

/// One difference in a few lines.
pub fn of_difference(difference: &Difference) -> String {
    let Difference { layer, key, change } = difference;
    let mut text = format!("{layer} {key}\n");
    match change {
        Change::Added => text += "  new: the snapshot does not have it\n",
        Change::Removed => text += "  missing: only the snapshot has it\n",
        Change::Text { old, new } => text += &format!("  - {old}\n  + {new}\n"),
        Change::Values { changes } => {
            changes.iter().take(MOST_VALUES).for_each(|change| text += &of_value(change));
            if changes.len() > MOST_VALUES {
                text += &format!("  and {} more values\n", changes.len() - MOST_VALUES);
            }
        }
        Change::Embedding { distance: Some(distance), allowed } => {
            text += &format!("  changed by {distance:.4} of its length ({allowed} is allowed)\n");
        }
        Change::Embedding { distance: None, .. } => text += "  a vector of another length\n",
        Change::Pixels { comparison, flip, evidence } => {
            text += &comparison.to_string();
            if let Some(flip) = flip {
                text += &format!("  mean FLIP {flip:.4}\n");
            }
            if let Some(file) = evidence {
                text += &format!("  old | new | difference: {}\n", file.display());
            }
        }
        Change::Unreadable { reason } => text += &format!("  {reason}\n"),
    }
    text
}

fn of_value(change: &JsonChange) -> String {
    let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    format!("  {}: {} -> {}\n", change.path, show(&change.old), show(&change.new))
}

/// The page of an acceptance.
pub fn of_accept(folder: &Path, snapshot: &Snapshot, accepted: Option<usize>) -> String {
    let what = match accepted {
        Some(0) => return format!("Nothing differs from {}.\n", folder.display()),
        Some(count) => format!("{count} differences accepted"),
        None => "Everything written".to_owned(),
    };
    format!(
        "{what}: {} creatives ({:.1} MB) with prompts, embeddings and metrics are in {}\n\
         Look at the pictures, then commit the folder.\n",
        snapshot.images.len(),
        image_bytes(snapshot) as f64 / 1e6,
        folder.display()
    )
}
