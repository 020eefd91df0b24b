//! The logs: each impression with its propensity, the days of each creative as CreativeRanking has them, and policies.

use super::publish::Stall;
use super::{MarketError, MarketJob, check_cancelled, table};
use crate::bench::Services;
use crate::records::{Cell, Field, Kind, Writer};
use crate::store::write_whole;
use adeval_eval::pairs::Arm;
use std::fmt::Write as _;

/// The format of the log of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Parquet: small and fast.
    Parquet,
    /// CSV.
    Csv,
    /// JSON lines.
    Jsonl,
}

impl LogFormat {
    /// The log's file.
    pub fn file(self) -> &'static str {
        match self {
            Self::Parquet => "log.synthetic.parquet",
            Self::Csv => "log.synthetic.csv",
            Self::Jsonl => "log.synthetic.jsonl",
        }
    }
}

/// Days of all creatives in the layout of CreativeRanking.
pub const RANKING: &str = "creative_ranking.synthetic.txt";
/// Policies for `adeval eval ope`.
pub const POLICIES: &str = "policies.synthetic.csv";

/// Clicks and impressions of each creative of each product.
pub type Sales = Vec<Vec<Arm>>;

/// Opens the shop.
pub fn sell(job: &MarketJob, stalls: &[Stall], services: &Services<'_>) -> Result<Sales, MarketError> {
    let text = ["product", "creative", "category"].map(|name| Field::new(name, Kind::Text));
    let whole = ["time", "position", "clicked"].map(|name| Field::new(name, Kind::Whole));
    let fields = text.into_iter().chain(whole).chain([Field::new("propensity", Kind::Real)]).collect();
    let mut log = table(&job.out.join(job.log.file()), fields)?;
    let mut days = String::new();
    let mut sales = Vec::with_capacity(stalls.len());
    services.progress.stage("shoppers", stalls.len());
    for stall in stalls {
        check_cancelled(job, services)?;
        sales.push(serve(job, stall, &mut log, &mut days)?);
        services.progress.advance(1);
    }
    log.finish().map_err(MarketError::Table)?;
    write_whole(&job.out.join(RANKING), days.as_bytes())?;
    policies(job, stalls)?;
    Ok(sales)
}

/// All impressions of a product.
fn serve(
    job: &MarketJob,
    stall: &Stall,
    log: &mut Writer,
    days: &mut String,
) -> Result<Vec<Arm>, MarketError> {
    let truths: Vec<_> = stall.goods.iter().map(|good| good.truth).collect();
    let none = Arm { clicks: 0, impressions: 0 };
    let mut daily = vec![vec![none; truths.len()]; job.market.settings().days as usize];
    let mut failed = None;
    job.market.shop(&stall.facts, &truths, |one| {
        let arm = &mut daily[one.day as usize][one.creative];
        arm.impressions += 1;
        arm.clicks += u64::from(one.clicked);
        if failed.is_none() {
            let row = log.row(&[
                Cell::Text(stall.facts.id.as_str().into()),
                Cell::Text(stall.goods[one.creative].name.as_str().into()),
                Cell::Text(stall.category.as_str().into()),
                Cell::Whole(one.day.into()),
                Cell::Whole(one.position as i64),
                Cell::Whole(one.clicked.into()),
                Cell::Real(one.propensity),
            ]);
            failed = row.err();
        }
    });
    if let Some(reason) = failed {
        return Err(MarketError::Table(reason));
    }
    let mut totals = vec![none; truths.len()];
    for (day, arms) in daily.iter().enumerate() {
        for ((good, arm), total) in stall.goods.iter().zip(arms).zip(&mut totals) {
            *total =
                Arm { clicks: total.clicks + arm.clicks, impressions: total.impressions + arm.impressions };
            if arm.impressions > 0 {
                let (item, image) = (&stall.facts.id, &good.name);
                // Writing to a text cannot fail.
                let _ = writeln!(days, "{item}\t{image}\t{day}\t{}\t{}", arm.impressions, arm.clicks);
            }
        }
    }
    Ok(totals)
}

/// Policies that know nothing of the truth: the log's own, and one that shows every creative alike.
fn policies(job: &MarketJob, stalls: &[Stall]) -> Result<(), MarketError> {
    let text = ["policy", "product", "creative"].map(|name| Field::new(name, Kind::Text));
    let fields = text.into_iter().chain([Field::new("probability", Kind::Real)]).collect();
    let mut file = table(&job.out.join(POLICIES), fields)?;
    for policy in ["logging", "uniform"] {
        for stall in stalls {
            let count = stall.goods.len();
            let chances = match policy {
                "logging" => job.market.propensities(&stall.facts.id, count),
                _ => vec![1.0 / count as f64; count],
            };
            for (good, chance) in stall.goods.iter().zip(chances) {
                let names = [policy, &stall.facts.id, &good.name].map(|name| Cell::Text(name.into()));
                let row = names.into_iter().chain([Cell::Real(chance)]).collect::<Vec<_>>();
                file.row(&row).map_err(MarketError::Table)?;
            }
        }
    }
    file.finish().map_err(MarketError::Table)?;
    Ok(())
}
