//! `truth/`: what no model may see.

use super::publish::Stall;
use super::result::{Match, TruthFile, Values};
use super::sales::Sales;
use super::{MarketError, MarketJob, SYNTHETIC, table, write_json};
use crate::records::{Cell, Field, Kind};
use crate::store::write_whole;
use adeval_eval::market::{MATCHES, PairFilter, Scene, Shown, Truth, ceiling, segments};

const README: &str = "\
# The truth of a synthetic market

**No model may see this folder**: not in training, not in validation, not in the choice of a checkpoint. It is for the last
step alone, in which what was trained is held against what is true.

- `creatives.csv`: of each creative the true CTR, that of each segment of shoppers, its appeal, the match of product and scene,
  and the measures of its pixels.
- `truth.json`: the best possible pairwise accuracy, match rates, and the true values of policies.
";

/// Writes it.
pub fn write(job: &MarketJob, stalls: &[Stall], sales: &Sales) -> Result<TruthFile, MarketError> {
    let folder = job.out.join("truth");
    write_whole(&folder.join("README.md"), format!("{README}\n{SYNTHETIC}\n").as_bytes())?;
    creatives(job, stalls, sales)?;
    let shown: Vec<Vec<Shown>> = stalls
        .iter()
        .zip(sales)
        .map(|(stall, arms)| {
            stall.goods.iter().zip(arms).map(|(good, arm)| Shown { ctr: good.truth.ctr, arm: *arm }).collect()
        })
        .collect();
    let truth = TruthFile {
        synthetic: SYNTHETIC.into(),
        season: job.market.season(),
        appeal_spread: appeal_spread(stalls),
        paper_pairs: ceiling(&shown, PairFilter::PAPER),
        all_pairs: ceiling(&shown, PairFilter::ALL),
        product_match: matches(stalls),
        values: values(job, stalls, sales),
    };
    write_json(&folder.join("truth.json"), &truth)?;
    Ok(truth)
}

fn creatives(job: &MarketJob, stalls: &[Stall], sales: &Sales) -> Result<(), MarketError> {
    let text = ["product", "creative"].map(|name| Field::new(name, Kind::Text));
    let real = |name: String| Field::new(name, Kind::Real);
    let by_segment = segments().map(|name| real(format!("true_ctr_{name}")));
    let measures = ["light", "warm", "vivid", "green", "busy", "contrast", "harmony"];
    let counts = ["impressions", "clicks"].map(|name| Field::new(name, Kind::Whole));
    let fields = text
        .into_iter()
        .chain([real("true_ctr".into())])
        .chain(by_segment)
        .chain(["appeal", "product_match"].into_iter().chain(measures).map(|name| real(name.into())))
        .chain(counts);
    let mut file = table(&job.out.join("truth/creatives.csv"), fields.collect())?;
    for (stall, arms) in stalls.iter().zip(sales) {
        for (good, arm) in stall.goods.iter().zip(arms) {
            let Truth { ctr, by_segment, appeal, product_match, scene } = good.truth;
            let Scene { light, warm, vivid, green, busy, contrast, harmony } = scene;
            let names = [stall.facts.id.as_str(), &good.name].map(|name| Cell::Text(name.into()));
            let reals = [ctr].into_iter().chain(by_segment).chain([
                appeal,
                product_match,
                light,
                warm,
                vivid,
                green,
                busy,
                contrast,
                harmony,
            ]);
            let counts = [arm.impressions, arm.clicks].map(|count| Cell::Whole(count as i64));
            let row: Vec<_> = names.into_iter().chain(reals.map(Cell::Real)).chain(counts).collect();
            file.row(&row).map_err(MarketError::Table)?;
        }
    }
    file.finish().map_err(MarketError::Table)?;
    Ok(())
}

/// Standard deviation of appeal between creatives of one product, pooled.
fn appeal_spread(stalls: &[Stall]) -> Option<f64> {
    let (mut squares, mut freedom) = (0.0, 0_usize);
    for stall in stalls.iter().filter(|stall| stall.goods.len() > 1) {
        let appeals = || stall.goods.iter().map(|good| good.truth.appeal);
        let mean = appeals().sum::<f64>() / stall.goods.len() as f64;
        squares += appeals().map(|appeal| (appeal - mean).powi(2)).sum::<f64>();
        freedom += stall.goods.len() - 1;
    }
    (freedom > 0).then(|| (squares / freedom as f64).sqrt())
}

/// How well scenes suit the products that they were made for, and, for comparison, all others.
fn matches(stalls: &[Stall]) -> Match {
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for stall in stalls {
        own.extend(stall.goods.iter().map(|good| good.truth.product_match));
        let others = || stalls.iter().filter(|one| one.category != stall.category);
        for good in &stall.goods {
            other.extend(others().map(|one| one.facts.match_of(&good.truth.scene)));
        }
    }
    let mean = |all: &[f64]| (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64);
    let rate =
        |all: &[f64]| mean(&all.iter().map(|m| f64::from(u8::from(*m >= MATCHES))).collect::<Vec<_>>());
    Match { mean: mean(&own), rate: rate(&own), mean_of_others: mean(&other), rate_of_others: rate(&other) }
}

/// True values of policies: each product weighs as much as it was shown.
fn values(job: &MarketJob, stalls: &[Stall], sales: &Sales) -> Values {
    let mut values = Values { logging: 0.0, uniform: 0.0, best: 0.0, worst: 0.0 };
    let mut rounds = 0.0;
    for (stall, arms) in stalls.iter().zip(sales) {
        let shown = arms.iter().map(|arm| arm.impressions).sum::<u64>() as f64;
        let ctrs: Vec<f64> = stall.goods.iter().map(|good| good.truth.ctr).collect();
        if ctrs.is_empty() {
            continue;
        }
        let chances = job.market.propensities(&stall.facts.id, ctrs.len());
        values.logging += shown * ctrs.iter().zip(chances).map(|(ctr, p)| ctr * p).sum::<f64>();
        values.uniform += shown * ctrs.iter().sum::<f64>() / ctrs.len() as f64;
        values.best += shown * ctrs.iter().copied().fold(0.0, f64::max);
        values.worst += shown * ctrs.iter().copied().fold(1.0, f64::min);
        rounds += shown;
    }
    for value in [&mut values.logging, &mut values.uniform, &mut values.best, &mut values.worst] {
        *value /= rounds;
    }
    values
}
