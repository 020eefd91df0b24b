//! A **synthetic** market of one's own: real plugins render creatives, simulated shoppers click on them, and the logs that
//! follow are written as a shop would have them, with the truth beside them in a folder of its own.
//!
//! The shoppers are [`adeval_eval::market`]'s. Rendering goes through the bench's store, so that an interrupted market goes
//! on where it stopped. `market.json` comes last: a folder without it is not whole.

mod designs;
mod error;
mod pairs;
mod publish;
mod result;
mod sales;
mod totals;
mod truth;

pub use designs::DESIGNS;
pub use error::MarketError;
pub use result::{MarketFile, MarketResult, Match, TruthFile, Values, products_of};
pub use sales::LogFormat;
pub use totals::TOTALS;

use crate::bench::{self, BenchOptions, Services};
use crate::store::write_whole;
use crate::suite::Suite;
use adeval_eval::market::{Market, Preset};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// What every file of a market that can hold a sentence says.
pub const SYNTHETIC: &str = "SYNTHETIC: the clicks are simulated. They say nothing about how people click, and must not be reported as if they did.";

/// What to make.
#[derive(Debug, Clone)]
pub struct MarketJob {
    /// Products and entries; judges and metrics are not used.
    pub suite: Suite,
    /// Only the first products.
    pub limit: Option<usize>,
    /// The preset that the settings started from.
    pub preset: Preset,
    /// The shoppers.
    pub market: Market,
    /// Format of the log of decisions.
    pub log: LogFormat,
    /// Folder of all files.
    pub out: PathBuf,
}

/// Folder, below a market's, of a rendering that is under way.
const WORK: &str = ".rendering";

/// Makes a market.
///
/// # Errors
/// [`MarketError`]; a creative that fails is no error: it is told, counted, and not on sale.
pub fn make(job: &MarketJob, services: &Services<'_>) -> Result<MarketResult, MarketError> {
    let finished = job.out.join("market.json");
    if finished.exists() {
        return Err(MarketError::Exists(job.out.clone()));
    }
    let work = job.out.join(WORK);
    let options = BenchOptions { limit: job.limit, run_dir: Some(work.clone()), ..BenchOptions::default() };
    let made = bench::creatives(&job.suite, &options, services)?;
    let wanted = made.products.len() * job.suite.entries.len() * job.suite.samples as usize;
    let stalls = publish::stalls(job, &made, services)?;
    let creatives: usize = stalls.iter().map(|stall| stall.goods.len()).sum();
    if creatives == 0 {
        return Err(MarketError::Nothing);
    }
    let sales = sales::sell(job, &stalls, services)?;
    totals::write(job, &stalls, &sales)?;
    designs::write(job, &stalls, &made)?;
    let pairs = pairs::write(job, services)?;
    let truth = truth::write(job, &stalls, &sales)?;
    write_whole(&job.out.join("README.md"), result::readme(job).as_bytes())?;
    let market = result::describe(job, &stalls, &sales, pairs)?;
    write_json(&finished, &market)?;
    // All that it holds is published; where it cannot be removed, nothing is wrong.
    let _ = std::fs::remove_dir_all(&work);
    let failed = (wanted - creatives) as u64;
    let out = job.out.display().to_string();
    Ok(MarketResult { out, failed, unusable_products: made.unusable as u64, market, truth })
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), MarketError> {
    let text = serde_json::to_string_pretty(value).map_err(|e| MarketError::Table(e.to_string()))?;
    Ok(write_whole(path, (text + "\n").as_bytes())?)
}

/// Ends the work when the user wants it.
fn check_cancelled(job: &MarketJob, services: &Services<'_>) -> Result<(), MarketError> {
    if services.cancel.load(Ordering::Relaxed) {
        Err(MarketError::Interrupted(job.out.clone()))
    } else {
        Ok(())
    }
}

/// A table's file, which an earlier call may have left.
fn table(path: &Path, fields: Vec<crate::records::Field>) -> Result<crate::records::Writer, MarketError> {
    if path.exists() {
        std::fs::remove_file(path).map_err(bench::BenchError::write(path))?;
    }
    crate::records::Writer::create(path, fields).map_err(MarketError::Table)
}
