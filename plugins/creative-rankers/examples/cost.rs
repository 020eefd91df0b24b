//! What training and judging cost: processor seconds, of all cores together, for 1000 pairs of the three rankers, on synthetic
//! creatives of 512x512 pixels.
//!
//!     cargo run --release -p creative-rankers --example cost

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use adeval_sdk::prelude::*;
use creative_rankers::{Cg4CtrReward, VamReward, VisionReward};
use image::{Rgb, RgbImage};
use rustix::time::{ClockId, clock_gettime};

/// Pairs that are timed; all pictures differ.
const PAIRS: u64 = 128;
/// Pairs of a step.
const BATCH: usize = 32;

fn creative(seed: u64) -> Image {
    let level = |k: u64| (seed.wrapping_mul(2_654_435_761).wrapping_add(k * 977) >> 5) as u8;
    RgbImage::from_fn(512, 512, |x, y| {
        let inside = (160..350).contains(&x) && (200..420).contains(&y);
        let shade = ((x ^ y) / 16) as u8;
        Rgb(if inside { [level(1), level(2), level(3)] } else { [level(4), level(5) ^ shade, level(6)] })
    })
    .into()
}

fn pairs() -> Vec<LabelledPair> {
    let pair = |number: u64| LabelledPair {
        pair: PairRequest {
            product: Product::new(format!("p{number}"), "Synthetic red leather handbag", creative(1)),
            left: creative(2 * number),
            right: creative(2 * number + 1),
        },
        left: (number % 2) as f64,
        ctr: Some((0.03, 0.04)),
    };
    (0..PAIRS).map(pair).collect()
}

/// Seconds that this process has kept processors busy: unlike the clock on the wall, it hardly depends on who else is there.
fn busy() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

fn epoch(model: &mut impl TrainableRewardModel, pairs: &[LabelledPair]) -> Result<(f64, TrainingReport)> {
    let (cx, started) = (CallContext::detached(), busy());
    let mut report = TrainingReport::default();
    for batch in pairs.chunks(BATCH) {
        model.accumulate_gradient(batch, &GradientOptions::default(), &cx)?;
        report = model.step(&TrainingOptions::new(1e-3), &cx)?;
    }
    Ok((busy() - started, report))
}

fn judge(model: &impl RewardModel, pairs: &[LabelledPair]) -> f64 {
    let asked: Vec<PairRequest> = pairs.iter().map(|item| item.pair.clone()).collect();
    let started = busy();
    let answers = model.compare_batch(&asked, &CallContext::detached());
    assert!(answers.iter().all(|answer| answer.is_ok()), "a pair was not judged");
    busy() - started
}

fn measure<M: TrainableRewardModel>(pairs: &[LabelledPair]) -> Result<()> {
    let create = || M::create(M::Parameters::default(), &Environment::default());
    let new_pictures = judge(&create()?, pairs);
    let mut model = create()?;
    let (first, _) = epoch(&mut model, pairs)?;
    let (later, report) = epoch(&mut model, pairs)?;
    let again = judge(&model, pairs);
    let count = |name: &str| report.metrics.get(name).copied().unwrap_or_default();
    let thousand = 1000.0 / PAIRS as f64;
    println!(
        "| `{}` | {} | {} | {:.1} | {:.1} | {:.1} | {:.1} |",
        M::info().id,
        count("parameters/trained"),
        count("parameters/total"),
        thousand * first,
        thousand * later,
        thousand * new_pictures,
        thousand * again
    );
    Ok(())
}

fn main() -> Result<()> {
    let pairs = pairs();
    println!("| component | trained | all | first epoch | later epochs | judging | judging again |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    measure::<VisionReward>(&pairs)?;
    measure::<VamReward>(&pairs)?;
    measure::<Cg4CtrReward>(&pairs)
}
