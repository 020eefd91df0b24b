use super::scene::{MEASURES, USUAL};
use super::*;
use crate::pairs::Arm;
use adeval_sdk::Product;
use adeval_sdk::rng::ChaCha8Rng;
use image::{RgbImage, Rgba, RgbaImage};

const CATEGORIES: [&str; 4] = ["Lighting", "Beauty & Bath", "Toys & Games", "Tools & Garden"];

fn product(number: usize) -> Facts {
    // A blue square with a rim of nothing.
    let image = RgbaImage::from_fn(40, 40, |x, y| {
        let inside = (4..36).contains(&x) && (4..36).contains(&y);
        if inside { Rgba([40, 70, 200, 255]) } else { Rgba([0; 4]) }
    });
    let mut product = Product::new(format!("p{number}"), "A thing", image.into());
    product.category = vec![CATEGORIES[number % CATEGORIES.len()].to_owned()];
    product.price = Some([9.0, 50.0, 400.0][number % 3]);
    Facts::of(&product).unwrap()
}

const PLACEMENT: Placement = Placement { left: 64, top: 64, width: 64, height: 64 };

/// A creative whose background is painted by a function of the place.
fn painted(background: impl Fn(u32, u32) -> [u8; 3]) -> RgbImage {
    let facts = product(0);
    let mut canvas = RgbImage::from_fn(192, 192, |x, y| Rgb(background(x, y)));
    PLACEMENT.paste(&facts.cut_out.resample(&PLACEMENT).unwrap(), &mut canvas);
    canvas
}

fn truth(market: &Market, creative: &RgbImage) -> Truth {
    market.true_ctr(&product(0), creative, &PLACEMENT).unwrap()
}

#[test]
fn measures_say_what_they_are_named_after() {
    let market = Market::preset(Preset::Easy, 1);
    let of = |background: fn(u32, u32) -> [u8; 3]| truth(&market, &painted(background)).scene;
    let (orange, azure) = (of(|_, _| [240, 160, 60]), of(|_, _| [60, 160, 240]));
    assert!(orange.warm > 0.05 && azure.warm < -0.05, "{} {}", orange.warm, azure.warm);
    let (white, black) = (of(|_, _| [250; 3]), of(|_, _| [10; 3]));
    assert!(white.light > 0.9 && black.light < 0.3 && white.vivid < 1e-3 && orange.vivid > 0.08);
    assert!(white.contrast > 0.3 && azure.contrast < white.contrast, "{} {}", azure.contrast, white.contrast);
    let (lawn, rose) = (of(|_, _| [70, 160, 60]), of(|_, _| [200, 60, 120]));
    assert!(lawn.green > 0.08 && rose.green < -0.05, "{} {}", lawn.green, rose.green);
    let chequered = of(|x, y| if (x / 4 + y / 4) % 2 == 0 { [230; 3] } else { [30; 3] });
    assert!(chequered.busy > 0.2 && white.busy < 1e-6, "{} {}", chequered.busy, white.busy);
    // The product is blue: blue is alike, yellow opposite, green and rose at about right angles.
    let yellow = of(|_, _| [230, 190, 30]);
    assert!(azure.harmony > 0.4 && yellow.harmony > 0.4, "{} {}", azure.harmony, yellow.harmony);
    assert!(rose.harmony < 0.0 && white.harmony.abs() < 0.05, "{} {}", rose.harmony, white.harmony);
}

#[test]
fn pixels_alone_move_the_true_ctr() {
    let market = Market::preset(Preset::Easy, 1);
    let one = painted(|_, _| [240, 160, 60]);
    let mut other = one.clone();
    (0..192).for_each(|x| (0..60).for_each(|y| other.put_pixel(x, y, Rgb([20, 60, 30]))));
    assert_eq!(truth(&market, &one), truth(&market, &one.clone()));
    assert_ne!(truth(&market, &one).ctr, truth(&market, &other).ctr);
    let seeds: Vec<f64> = (0..6).map(|seed| truth(&Market::preset(Preset::Easy, seed), &one).ctr).collect();
    assert!(seeds.windows(2).all(|pair| pair[0] != pair[1]), "{seeds:?}");
}

#[test]
fn a_creative_without_its_product_is_refused() {
    let market = Market::preset(Preset::Easy, 1);
    let off = Placement { left: 500, ..PLACEMENT };
    let refused = market.true_ctr(&product(0), &painted(|_, _| [9; 3]), &off).unwrap_err().to_string();
    assert!(refused.contains("off the canvas"), "{refused}");
    let settings = Settings { base_ctr: 0.9, ..Preset::Easy.settings() };
    assert!(Market::new(settings, 0).unwrap_err().to_string().contains("base_ctr is 0.9"));
}

/// A scene whose measures vary as usual.
fn usual_scene(random: &mut ChaCha8Rng) -> Scene {
    let [light, warm, vivid, green, busy, contrast, harmony]: [f64; MEASURES] =
        std::array::from_fn(|at| USUAL[at].0 + USUAL[at].1 * normal(random));
    Scene { light, warm, vivid, green, busy, contrast, harmony }
}

/// Products with six usual creatives each.
fn catalogue(market: &Market, products: usize) -> Vec<(Facts, Vec<Truth>)> {
    let mut random = rng::seeded(rng::derive(market.seed(), &["usual scenes"]));
    let of = |number| {
        let facts = product(number);
        let truths = (0..6).map(|_| market.truth(&facts, usual_scene(&mut random))).collect();
        (facts, truths)
    };
    (0..products).map(of).collect()
}

/// Exact best possible accuracy, given impressions as they were drawn.
fn best_possible(preset: Preset, seed: u64, filter: PairFilter) -> Expected {
    let market = Market::preset(preset, seed);
    let mut sum = Expected::default();
    for (facts, truths) in catalogue(&market, 300) {
        let mut shown = vec![0_u64; truths.len()];
        market.shop(&facts, &truths, |impression| shown[impression.creative] += 1);
        for (at, one) in truths.iter().enumerate() {
            for other in at + 1..truths.len() {
                sum += expected((one.ctr, shown[at]), (truths[other].ctr, shown[other]), filter);
            }
        }
    }
    sum
}

#[test]
fn the_preset_literature_is_as_hard_as_public_logs() {
    for seed in [1, 2, 3] {
        let best = best_possible(Preset::Literature, seed, PairFilter::PAPER);
        let accuracy = best.accuracy().unwrap();
        assert!(
            best.pairs > 100.0 && (0.56..0.60).contains(&accuracy),
            "seed {seed}: {accuracy} of {}",
            best.pairs
        );
    }
}

#[test]
fn the_preset_easy_is_easy_over_all_pairs() {
    for seed in [1, 2, 3] {
        let accuracy = best_possible(Preset::Easy, seed, PairFilter::ALL).accuracy().unwrap();
        assert!((0.88..0.92).contains(&accuracy), "seed {seed}: {accuracy}");
    }
}

#[test]
fn the_exact_accuracy_is_that_of_all_counts() {
    let (one, other) = ((0.3, 14_u64), (0.2, 11_u64));
    let chance = |(p, n): (f64, u64), k: u64| {
        let choose = (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
        choose * p.powi(k as i32) * (1.0_f64 - p).powi((n - k) as i32)
    };
    for filter in [PairFilter::ALL, PairFilter { impressions_above: 10, ratio: Some((1.05, 1.7)) }] {
        let mut wanted = Expected::default();
        for (a, b) in (0..=14).flat_map(|a| (0..=11).map(move |b| (a, b))) {
            let arms = (Arm { clicks: a, impressions: 14 }, Arm { clicks: b, impressions: 11 });
            if filter.takes(arms.0, arms.1) {
                let both = chance(one, a) * chance(other, b);
                let right = match (a * 11).cmp(&(b * 14)) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
                wanted += Expected { pairs: both, right: both * right };
            }
        }
        for swapped in [expected(one, other, filter), expected(other, one, filter)] {
            assert!((swapped.pairs - wanted.pairs).abs() < 1e-12, "{swapped:?} {wanted:?}");
            assert!((swapped.right - wanted.right).abs() < 1e-12, "{swapped:?} {wanted:?}");
        }
        assert!((wanted.accuracy().unwrap() - 0.5) > 0.05);
    }
    let none = PairFilter { impressions_above: 11, ..PairFilter::PAPER };
    assert_eq!(expected(one, other, none).accuracy(), None);
}

#[test]
fn clicks_are_drawn_from_the_truth_and_creatives_from_the_propensities() {
    let settings = Settings { impressions: 100_000.0, impression_spread: 0.0, ..Preset::Easy.settings() };
    let market = Market::new(settings, 4).unwrap();
    let (facts, truths) = catalogue(&market, 1).remove(0);
    let propensities = market.propensities(&facts.id, truths.len());
    assert!((propensities.iter().sum::<f64>() - 1.0).abs() < 1e-12 && propensities.iter().all(|p| *p > 0.06));
    let (mut shown, mut clicked, mut looked) = ([0_u64; 6], [0_u64; 6], [0_u64; POSITIONS]);
    let mut last = 0;
    market.shop(&facts, &truths, |one| {
        assert_eq!(one.propensity, propensities[one.creative]);
        assert!(one.day >= last && one.day < 7);
        last = one.day;
        shown[one.creative] += 1;
        clicked[one.creative] += u64::from(one.clicked);
        looked[one.position] += u64::from(one.clicked);
    });
    let total: u64 = shown.iter().sum();
    assert_eq!((total, last), (600_000, 6));
    for at in 0..6 {
        let near = |count: u64, chance: f64, of: u64| {
            let (mean, error) = (chance * of as f64, (chance * (1.0 - chance) * of as f64).sqrt());
            assert!(
                (count as f64 - mean).abs() < 4.0 * error,
                "creative {at}: {count} for {mean} +- {error}"
            );
        };
        near(shown[at], propensities[at], total);
        near(clicked[at], truths[at].ctr, shown[at]);
    }
    assert!(looked.windows(2).all(|pair| pair[0] > pair[1]), "higher places are clicked more: {looked:?}");
}

#[test]
fn impressions_have_a_heavy_tail() {
    let market = Market::preset(Preset::Literature, 5);
    let mut counts: Vec<u64> = (0..999).map(|n| market.impressions(&format!("p{n}"), 4)).collect();
    counts.sort_unstable();
    let median = counts[499] as f64;
    assert!((median / 4000.0 - 1.0).abs() < 0.15, "{median}");
    let top: u64 = counts[899..].iter().sum();
    let share = top as f64 / counts.iter().sum::<u64>() as f64;
    assert!((0.25..0.45).contains(&share), "the top tenth has {share} of the impressions");
}

#[test]
fn the_same_seed_draws_the_same_and_another_seed_another_market() {
    let draw = |seed| {
        let market = Market::preset(Preset::Literature, seed);
        let (facts, truths) = catalogue(&market, 1).remove(0);
        let mut all = Vec::new();
        market.shop(&facts, &truths, |one| all.push(one));
        (market.season(), all)
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7).1, draw(8).1);
    let seasons: std::collections::BTreeSet<_> =
        (0..40).map(|seed| format!("{:?}", Market::preset(Preset::Easy, seed).season())).collect();
    assert_eq!(seasons.len(), 4);
}

#[test]
fn the_ceiling_of_a_log_is_near_its_expectation_and_its_estimate() {
    let settings = Settings { appeal: 0.3, ..Preset::Literature.settings() };
    let market = Market::new(settings, 6).unwrap();
    let shown = |(facts, truths): (Facts, Vec<Truth>)| {
        let mut arms = vec![Arm { clicks: 0, impressions: 0 }; truths.len()];
        market.shop(&facts, &truths, |one| {
            arms[one.creative].impressions += 1;
            arms[one.creative].clicks += u64::from(one.clicked);
        });
        truths.iter().zip(arms).map(|(truth, arm)| Shown { ctr: truth.ctr, arm }).collect()
    };
    let log: Vec<Vec<Shown>> = catalogue(&market, 200).into_iter().map(shown).collect();
    let all = ceiling(&log, PairFilter::ALL);
    assert_eq!((all.pairs, all.expected_pairs.round()), (3000, 3000.0));
    let (exact, drawn, estimated) = (all.expected.unwrap(), all.drawn.unwrap(), all.estimated.unwrap());
    assert!((drawn - exact).abs() < 0.02 && (estimated - exact).abs() < 0.02, "{exact} {drawn} {estimated}");
    let paper = ceiling(&log, PairFilter::PAPER);
    let (exact, drawn) = (paper.expected.unwrap(), paper.drawn.unwrap());
    assert!((paper.pairs as f64 / paper.expected_pairs - 1.0).abs() < 0.15, "{paper:?}");
    assert!(exact < all.expected.unwrap() && (drawn - exact).abs() < 0.1, "{paper:?}");
    assert_eq!(ceiling(&[], PairFilter::ALL).expected, None);
}
