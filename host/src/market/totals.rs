//! Clicks and impressions of all creatives, as `adeval eval ranking` and `adeval train reward` read them.

use super::publish::Stall;
use super::sales::Sales;
use super::{MarketError, MarketJob, table};
use crate::records::{Cell, Field, Kind};

/// Creative totals.
pub const TOTALS: &str = "totals.synthetic.csv";

/// Writes them.
pub fn write(job: &MarketJob, stalls: &[Stall], sales: &Sales) -> Result<(), MarketError> {
    let text = ["product", "creative", "category"].map(|name| Field::new(name, Kind::Text));
    let whole = ["impressions", "clicks"].map(|name| Field::new(name, Kind::Whole));
    let mut file = table(&job.out.join(TOTALS), text.into_iter().chain(whole).collect())?;
    for (stall, arms) in stalls.iter().zip(sales) {
        for (good, arm) in stall.goods.iter().zip(arms) {
            let names =
                [stall.facts.id.as_str(), &good.name, &stall.category].map(|name| Cell::Text(name.into()));
            let counts = [arm.impressions, arm.clicks].map(|count| Cell::Whole(count as i64));
            file.row(&names.into_iter().chain(counts).collect::<Vec<_>>()).map_err(MarketError::Table)?;
        }
    }
    file.finish().map_err(MarketError::Table)?;
    Ok(())
}
