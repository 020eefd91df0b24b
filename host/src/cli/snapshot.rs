//! `adeval snapshot`: is what a suite gives still what was accepted?

mod page;

use super::exit::{Finish, Stop};
use super::open::PluginArgs;
use super::progress::Report;
use super::{Session, interrupt, output};
use crate::bench::Services;
use crate::products::CutOutNetwork;
use crate::snapshot::{self, Difference, PRODUCTS, Snapshot, SnapshotError, Taken};
use crate::suite::Suite;
use adeval_sdk::testkit::{Tolerances, machine_class};
use clap::Subcommand;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

const ABOUT_FOLDERS: &str = "\
Files, beside SUITE.toml unless said otherwise:
  SUITE.snapshots/            what was accepted; commit it
  SUITE.snapshots.new/        the last run, its report and a picture of each creative that differs; do not commit it
  snapshot-tolerances.toml    limits of all layers and platforms; here or in a folder above";

const EXIT_CODES: &str = "\
Exit codes of test:
  0  everything is as it was accepted
  1  the test could not be made: no snapshot yet, or the suite does not run
  3  the test was made, and something differs or failed";

#[derive(Subcommand)]
pub enum SnapshotCommand {
    /// Run a suite's first products anew and compare prompts, pixels, embeddings and metrics with the snapshot.
    #[command(after_help = format!("{EXIT_CODES}\n\n{ABOUT_FOLDERS}"))]
    Test(Where),
    /// Make a suite's snapshot, or take over everything that differs from it.
    #[command(after_help = ABOUT_FOLDERS)]
    Accept {
        /// Keep the suite's first so many products; 4 for a new snapshot, as many as before for an old one.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        products: Option<u32>,
        /// Write everything anew, also what is within the tolerances: for a new reference machine.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Go through the differences one by one: a accepts, s skips, r rejects.
    #[command(after_help = ABOUT_FOLDERS)]
    Review(Where),
}

/// Of what, and where its files are.
#[derive(clap::Args)]
pub struct Where {
    /// The suite's file.
    suite: PathBuf,
    /// Folder of the snapshot, in place of SUITE.snapshots.
    #[arg(long, value_name = "DIR")]
    snapshots: Option<PathBuf>,
    /// Folder of the run and the pictures, in place of SUITE.snapshots.new.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// File of tolerances, in place of the nearest snapshot-tolerances.toml.
    #[arg(long, value_name = "FILE")]
    tolerances: Option<PathBuf>,
    #[command(flatten)]
    plugins: PluginArgs,
}

impl From<SnapshotError> for Stop {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Bench(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}

pub fn run(command: &SnapshotCommand, session: Session) -> Result<Finish, Stop> {
    match command {
        SnapshotCommand::Test(place) => test(&Work::new(place, session)?),
        SnapshotCommand::Accept { products, all, place } => {
            accept(&Work::new(place, session)?, products.map(|n| n as usize), *all)
        }
        SnapshotCommand::Review(place) => {
            // Before a suite is run for nothing.
            if !(std::io::stdin().is_terminal() && console::Term::stderr().is_term()) {
                let help = format!("adeval snapshot accept {}", place.suite.display());
                return Err(Stop::new("a review asks questions, and this is no terminal").help(help));
            }
            review(&Work::new(place, session)?)
        }
    }
}

/// A suite with its folders and limits.
struct Work<'a> {
    suite: Suite,
    folder: PathBuf,
    out: PathBuf,
    tolerances: Tolerances,
    tolerances_file: Option<PathBuf>,
    plugins: &'a PluginArgs,
    session: Session,
}

/// A comparison of a new run with the snapshot.
struct Tested {
    old: Snapshot,
    taken: Taken,
    differences: Vec<Difference>,
}

impl<'a> Work<'a> {
    fn new(place: &'a Where, session: Session) -> Result<Self, Stop> {
        let suite = Suite::load(&place.suite)?;
        let folder = place.snapshots.clone().unwrap_or_else(|| place.suite.with_extension("snapshots"));
        let out = place.out.clone().unwrap_or_else(|| place.suite.with_extension("snapshots.new"));
        let class = machine_class();
        let beside = place.suite.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (tolerances, tolerances_file) = match &place.tolerances {
            Some(file) => Tolerances::load(file, &class).map(|t| (t, Some(file.clone()))),
            None => Tolerances::find(beside, &class),
        }
        .map_err(|error| Stop::new(error.to_string()))?;
        Ok(Self { suite, folder, out, tolerances, tolerances_file, plugins: &place.plugins, session })
    }

    fn run_dir(&self) -> PathBuf {
        self.out.join("run")
    }

    /// What the suite gives now; what the last run made and still holds is not made again.
    fn take(&self, products: usize) -> Result<Taken, Stop> {
        let cancel = interrupt::listen()?;
        let installed = self.plugins.open(cancel)?;
        let matting = CutOutNetwork::default();
        let report = Report::new(self.session.quiet);
        let services = Services { plugins: &installed, matting: &matting, progress: &report, cancel };
        let taken = snapshot::take(&self.suite, products, &self.run_dir(), &services);
        report.finish();
        Ok(taken?)
    }

    /// Forgets the last run and its pictures. Only what a run has written is removed, wherever `--out` leads.
    fn forget(&self) -> Result<(), Stop> {
        let failed = |path: &Path, error: &std::io::Error| {
            Stop::new(format!("{} cannot be removed: {error}", path.display()))
        };
        let run = self.run_dir();
        if run.join("run.json").exists() {
            std::fs::remove_dir_all(&run).map_err(|error| failed(&run, &error))?;
        }
        let (report, pictures) = (self.out.join("report.json"), self.out.join("differences"));
        if report.exists() {
            match std::fs::remove_dir_all(&pictures) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed(&pictures, &error));
                }
                _ => std::fs::remove_file(&report).map_err(|error| failed(&report, &error))?,
            }
        }
        // Not empty when it holds something of the user's.
        let _ = std::fs::remove_dir(&self.out);
        Ok(())
    }

    fn old(&self) -> Result<Snapshot, Stop> {
        Snapshot::load(&self.folder)?.ok_or_else(|| {
            Stop::new(format!("{}: there is no snapshot of this suite yet", self.folder.display())).help(
                format!(
                    "`adeval snapshot accept {}` makes it; look at its pictures and commit the folder",
                    self.suite.file.display()
                ),
            )
        })
    }

    fn compare(&self) -> Result<Tested, Stop> {
        let old = self.old()?;
        let taken = self.take(old.manifest.products)?;
        let mut differences = snapshot::compare(&old, &taken.snapshot, &self.tolerances);
        snapshot::illustrate(&old, &taken.snapshot, &mut differences, &self.out.join("differences"))?;
        let tested = Tested { old, taken, differences };
        crate::store::write_json(&self.out.join("report.json"), &self.report(&tested))?;
        Ok(tested)
    }

    /// What programs read: also `report.json`.
    fn report(&self, tested: &Tested) -> Value {
        let Tested { old, taken, differences } = tested;
        json!({
            "suite": self.suite.file,
            "snapshots": self.folder,
            "out": self.out,
            "made_on": old.manifest.machine,
            "made_by": old.manifest.adeval_version,
            "machine": machine_class(),
            "tolerances_file": self.tolerances_file,
            "tolerances": self.tolerances,
            "checked": {
                "prompts": taken.snapshot.prompts.len(),
                "pixels": taken.snapshot.images.len(),
                "embeddings": taken.snapshot.embeddings.len(),
                "metrics": taken.snapshot.metrics.len(),
            },
            "differences": differences,
            "failures": taken.failures,
        })
    }
}

fn test(work: &Work<'_>) -> Result<Finish, Stop> {
    work.old()?;
    // From nothing: a plugin that does not repeat itself is to be found out.
    work.forget()?;
    let tested = work.compare()?;
    if work.session.json {
        output::print_json(&work.report(&tested))?;
    } else {
        output::print(&page::of_test(work, &tested))?;
    }
    Ok(Finish::with_failures(!tested.differences.is_empty() || !tested.taken.failures.is_empty()))
}

fn accept(work: &Work<'_>, products: Option<usize>, all: bool) -> Result<Finish, Stop> {
    let old = Snapshot::load(&work.folder)?;
    let before = old.as_ref().map(|old| old.manifest.products);
    let taken = work.take(products.or(before).unwrap_or(PRODUCTS))?;
    taken.failures.iter().for_each(|failure| output::warn(failure));
    let (snapshot, accepted) = match old {
        Some(mut old) if !all => {
            let differences = snapshot::compare(&old, &taken.snapshot, &work.tolerances);
            old.adopt(&taken.snapshot, &differences);
            (old, Some(differences.len()))
        }
        _ => (taken.snapshot, None),
    };
    if accepted != Some(0) || before != Some(snapshot.manifest.products) {
        snapshot.save(&work.folder)?;
    }
    work.forget()?;
    if work.session.json {
        output::print_json(&json!({
            "snapshots": work.folder,
            "accepted": accepted,
            "all": accepted.is_none(),
            "creatives": snapshot.images.len(),
            "image_bytes": image_bytes(&snapshot),
            "failures": taken.failures,
        }))?;
    } else {
        output::print(&page::of_accept(&work.folder, &snapshot, accepted))?;
    }
    Ok(Finish::with_failures(!taken.failures.is_empty()))
}

fn image_bytes(snapshot: &Snapshot) -> usize {
    snapshot.images.values().map(Vec::len).sum()
}

/// What the user said to a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accept,
    Skip,
    Reject,
    /// And all that follow.
    Quit,
}

fn review(work: &Work<'_>) -> Result<Finish, Stop> {
    let mut tested = work.compare()?;
    let term = console::Term::stderr();
    let total = tested.differences.len();
    let asked = |at: usize, difference: &Difference| {
        let question = format!(
            "\n{} of {total}: {}\n[a]ccept  [s]kip  [r]eject  [q]uit ",
            at + 1,
            page::of_difference(difference)
        );
        term.write_str(&question)?;
        let answer = loop {
            match term.read_char() {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => break Answer::Quit,
                key => {
                    if let Some(answer) = answer(key?) {
                        break answer;
                    }
                }
            }
        };
        term.write_line(&format!("{answer:?}").to_lowercase())?;
        Ok(answer)
    };
    let decided = decide(&tested.differences, asked)
        .map_err(|error| Stop::new(format!("the terminal cannot be read: {error}")))?;
    if !decided.accepted.is_empty() {
        tested.old.adopt(&tested.taken.snapshot, &decided.accepted);
        tested.old.save(&work.folder)?;
    }
    let open = decided.rejected + decided.skipped;
    if open == 0 {
        work.forget()?;
    }
    let accepted = decided.accepted.len();
    if work.session.json {
        let Decided { rejected, skipped, .. } = decided;
        output::print_json(&json!({ "accepted": accepted, "rejected": rejected, "skipped": skipped }))?;
    } else {
        let Decided { rejected, skipped, .. } = decided;
        output::print(&format!("{accepted} accepted, {rejected} rejected, {skipped} skipped\n"))?;
    }
    Ok(Finish::with_failures(open > 0))
}

fn answer(key: char) -> Option<Answer> {
    match key.to_ascii_lowercase() {
        'a' => Some(Answer::Accept),
        's' => Some(Answer::Skip),
        'r' => Some(Answer::Reject),
        'q' | '\u{1b}' => Some(Answer::Quit),
        _ => None,
    }
}

/// The outcome of a review.
#[derive(Debug, Default)]
struct Decided {
    accepted: Vec<Difference>,
    rejected: usize,
    skipped: usize,
}

/// Asks about each difference until the user has enough.
fn decide(
    differences: &[Difference],
    mut ask: impl FnMut(usize, &Difference) -> std::io::Result<Answer>,
) -> std::io::Result<Decided> {
    let mut decided = Decided::default();
    for (at, difference) in differences.iter().enumerate() {
        match ask(at, difference)? {
            Answer::Accept => decided.accepted.push(difference.clone()),
            Answer::Reject => decided.rejected += 1,
            Answer::Skip => decided.skipped += 1,
            Answer::Quit => {
                decided.skipped += differences.len() - at;
                break;
            }
        }
    }
    Ok(decided)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Change, Layer};

    #[test]
    fn a_review_takes_over_what_is_accepted_and_quitting_skips_the_rest() {
        let of = |key: &str| Difference { layer: Layer::Prompts, key: key.into(), change: Change::Added };
        let differences = ["a", "b", "c", "d", "e"].map(of);
        let mut keys = "Xar sq".chars().filter_map(answer);
        let decided = decide(&differences, |_, _| Ok(keys.next().unwrap())).unwrap();
        assert_eq!(decided.accepted, [of("a")]);
        assert_eq!((decided.rejected, decided.skipped), (1, 3));
    }
}
