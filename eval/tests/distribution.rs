//! Distances between sets of features against torch-fidelity, prdc and a written-out CMMD
//! (`fixtures/scripts/goldens_distribution.py`), and their intervals against brute force.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_eval::distribution::{ClassSums, cmmd, frechet_infinity, inception_score, kid, manifolds};
use adeval_eval::{
    Estimate, EvalError, Method, Moments, frechet_estimate, frechet_from_moments, frechet_from_rows,
};
use serde::Deserialize;

type Rows = Vec<Vec<f32>>;

#[derive(Deserialize)]
struct Goldens {
    cases: Vec<Case>,
    inception_score: Scores,
}

#[derive(Deserialize)]
struct Case {
    sample: usize,
    reference: usize,
    dimension: usize,
    shift: f64,
    fid: f64,
    kid_rows: usize,
    kid: f64,
    cmmd: f64,
    manifolds: Vec<Manifold>,
}

#[derive(Deserialize)]
struct Manifold {
    k: usize,
    precision: f64,
    recall: f64,
    density: f64,
    coverage: f64,
}

#[derive(Deserialize)]
struct Scores {
    rows: usize,
    classes: usize,
    score: f64,
}

fn goldens() -> Goldens {
    serde_json::from_str(include_str!("../../fixtures/goldens/eval/distribution.json")).unwrap()
}

/// As `features` of the script.
fn features(rows: usize, columns: usize, seed: u64, scale: f64, shift: f64) -> Rows {
    let value = |i: usize, j: usize| {
        let total: i64 = (0..3)
            .map(|k| {
                let mut h = ((i * columns + j) as u64 * 3 + k).wrapping_add(seed * 1_000_003);
                h = (h ^ (h >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                h = (h ^ (h >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                ((h ^ (h >> 31)) >> 44) as i64
            })
            .sum();
        let centred = (total - 3 * (1 << 19)) as f64 / f64::from(1 << 19);
        (centred * scale + shift) as f32
    };
    (0..rows).map(|i| (0..columns).map(|j| value(i, j)).collect()).collect()
}

fn unit(rows: &Rows) -> Rows {
    let normed = |row: &Vec<f32>| {
        let norm = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        row.iter().map(|v| (f64::from(*v) / norm) as f32).collect()
    };
    rows.iter().map(normed).collect()
}

fn alone(rows: &Rows) -> Vec<usize> {
    (0..rows.len()).collect()
}

fn relative(got: f64, want: f64) -> f64 {
    (got - want).abs() / want.abs()
}

#[test]
fn values_are_those_of_the_reference_implementations() {
    let (mut worst, mut shares) = ([0.0_f64; 3], 0.0_f64);
    for case in goldens().cases {
        let x = features(case.sample, case.dimension, 1, 1.1, case.shift);
        let y = features(case.reference, case.dimension, 2, 1.0, 0.0);
        let fd = frechet_from_moments(&Moments::of(&x).unwrap(), &Moments::of(&y).unwrap()).unwrap();
        worst[0] =
            worst[0].max(relative(fd, case.fid)).max(relative(frechet_from_rows(&x, &y).unwrap(), case.fid));
        let (a, b) = (x[..case.kid_rows].to_vec(), y[..case.kid_rows].to_vec());
        worst[1] = worst[1].max(relative(kid(&a, &alone(&a), &b, 0.95).unwrap().value, case.kid));
        let (u, v) = (unit(&x), unit(&y));
        worst[2] = worst[2].max(relative(cmmd(&u, &alone(&u), &v, 0.95).unwrap().value, case.cmmd));
        for wanted in case.manifolds {
            let got = manifolds(&x, &alone(&x), &y, wanted.k, 0.95).unwrap();
            let pairs = [
                (got.precision.value, wanted.precision),
                (got.recall.value, wanted.recall),
                (got.density.value, wanted.density),
                (got.coverage.value, wanted.coverage),
            ];
            shares = pairs.iter().map(|(g, w)| (g - w).abs()).fold(shares, f64::max);
        }
    }
    println!(
        "relative: FD {:.1e}, KID {:.1e}, CMMD {:.1e}; shares {shares:.1e}",
        worst[0], worst[1], worst[2]
    );
    // Where a covariance is singular torch-fidelity's own eigenvalues are good to some eight digits.
    assert!(worst[0] < 1e-7 && worst[1] < 1e-9 && worst[2] < 1e-9, "{worst:?}");
    // torch-fidelity gives its shares as means in float32.
    assert!(shares < 1e-7, "{shares}");
}

#[test]
fn the_inception_score_is_torch_fidelitys_and_adds_up_over_parts() {
    let wanted = goldens().inception_score;
    let logits = features(wanted.rows, wanted.classes, 3, 2.0, 0.0);
    let got = inception_score(&logits, &alone(&logits), 0.95).unwrap();
    assert!(relative(got.value, wanted.score) < 1e-12, "{got:?} {}", wanted.score);
    let mut parts = [ClassSums::new(12), ClassSums::new(12)];
    parts[0].extend(&logits[..31]).unwrap();
    parts[1].extend(&logits[31..]).unwrap();
    let [mut all, rest] = parts;
    all.merge(&rest).unwrap();
    assert!(relative(all.score(), wanted.score) < 1e-12);
}

/// Rows of three products a row or two, some alone: what products look like.
fn clustered(rows: usize) -> Vec<usize> {
    (0..rows).map(|i| if i % 5 < 2 { 1000 + i / 5 } else { i }).collect()
}

/// The jackknife written out: the metric without each cluster.
fn brute(x: &Rows, clusters: &[usize], metric: impl Fn(&Rows, &[usize]) -> f64) -> Vec<(usize, f64)> {
    let mut ids = clusters.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids.iter()
        .map(|gone| {
            let kept: Vec<usize> = (0..x.len()).filter(|i| clusters[*i] != *gone).collect();
            let rows = kept.iter().map(|i| x[*i].clone()).collect::<Rows>();
            let ids: Vec<usize> = kept.iter().map(|i| clusters[*i]).collect();
            (kept.len(), metric(&rows, &ids))
        })
        .collect()
}

/// Half the width of the 95% interval that leave-outs of several sizes give.
fn half_width(without: &[(usize, f64)]) -> f64 {
    use statrs::distribution::{ContinuousCDF, StudentsT};
    let sizes: std::collections::BTreeSet<usize> = without.iter().map(|(n, _)| *n).collect();
    let mut spread = 0.0;
    for size in &sizes {
        let values: Vec<f64> = without.iter().filter(|(n, _)| n == size).map(|(_, v)| *v).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        spread += values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    }
    let g = without.len() as f64;
    let error = (spread * (g - 1.0).powi(2) / (g * (g - sizes.len() as f64))).sqrt();
    error * StudentsT::new(0.0, 1.0, g - 1.0).unwrap().inverse_cdf(0.975)
}

#[test]
fn intervals_are_the_jackknifes_of_a_computation_without_each_product() {
    let (x, y) = (features(60, 8, 1, 1.1, 0.25), features(70, 8, 2, 1.0, 0.0));
    let clusters = clustered(60);
    let check = |name: &str, got: Estimate, metric: &dyn Fn(&Rows, &[usize]) -> f64| {
        let half = half_width(&brute(&x, &clusters, metric));
        let high = got.high.unwrap() - got.value;
        assert_eq!((got.method, got.n), (Method::Jackknife, 48), "{name}");
        assert!(
            (high - half).abs() < 1e-6 * half || (got.high == Some(1.0) && half >= high),
            "{name}: {high} {half}"
        );
    };
    let at = |f: fn(&adeval_eval::distribution::Manifolds) -> Estimate, k: usize| {
        let y = y.clone();
        move |x: &Rows, c: &[usize]| f(&manifolds(x, c, &y, k, 0.95).unwrap()).value
    };
    check("kid", kid(&x, &clusters, &y, 0.95).unwrap(), &|x, c| kid(x, c, &y, 0.95).unwrap().value);
    check("cmmd", cmmd(&x, &clusters, &y, 0.95).unwrap(), &|x, c| cmmd(x, c, &y, 0.95).unwrap().value);
    check("is", inception_score(&x, &clusters, 0.95).unwrap(), &|x, c| {
        inception_score(x, c, 0.95).unwrap().value
    });
    for k in [1, 3] {
        let got = manifolds(&x, &clusters, &y, k, 0.95).unwrap();
        check("precision", got.precision, &at(|m| m.precision, k));
        check("recall", got.recall, &at(|m| m.recall, k));
        check("density", got.density, &at(|m| m.density, k));
        check("coverage", got.coverage, &at(|m| m.coverage, k));
    }
}

#[test]
fn a_large_samples_influences_give_the_interval_of_leaving_each_product_out() {
    let (x, y) = (features(300, 5, 1, 1.1, 0.25), features(200, 5, 2, 1.0, 0.0));
    let clusters = clustered(300);
    let got = frechet_estimate(&x, &clusters, &y, 0.95).unwrap();
    assert!(relative(got.value, frechet_from_rows(&x, &y).unwrap()) < 1e-9);
    let without = brute(&x, &clusters, |x, _| frechet_from_rows(x, &y).unwrap());
    let (half, wanted) = (got.high.unwrap() - got.value, half_width(&without));
    assert!((half / wanted - 1.0).abs() < 0.02, "{half} {wanted}");
}

#[test]
fn equal_sets_are_at_distance_nothing_and_inside_each_other() {
    let x = features(40, 10, 1, 1.0, 0.0);
    let got = manifolds(&x, &alone(&x), &x, 3, 0.95).unwrap();
    for (estimate, wanted) in [(got.precision, 1.0), (got.recall, 1.0), (got.coverage, 1.0)] {
        assert_eq!((estimate.value, estimate.method), (wanted, Method::Wilson));
        assert!(estimate.low.unwrap() < 1.0);
    }
    assert!(frechet_estimate(&x, &alone(&x), &x, 0.95).unwrap().value < 1e-9);
    assert!(cmmd(&x, &alone(&x), &x, 0.95).unwrap().value.abs() < 1e-9);
}

#[test]
fn sets_of_one_image_repeated_have_documented_values() {
    let (x, y) = (vec![vec![0.5_f32; 6]; 20], vec![vec![0.25_f32; 6]; 20]);
    let alone = alone(&x);
    let fd = frechet_estimate(&x, &alone, &y, 0.95).unwrap();
    assert!((fd.value - 6.0 * 0.0625).abs() < 1e-12, "{fd:?}");
    let apart = manifolds(&x, &alone, &y, 3, 0.95).unwrap();
    let values = [apart.precision, apart.recall, apart.density, apart.coverage].map(|e| e.value);
    assert_eq!(values, [0.0; 4]);
    let same = manifolds(&x, &alone, &x, 3, 0.95).unwrap();
    assert_eq!(same.precision.value, 1.0);
    assert!(kid(&x, &alone, &y, 0.95).unwrap().value > 0.0);
    assert!((inception_score(&x, &alone, 0.95).unwrap().value - 1.0).abs() < 1e-12);
}

#[test]
fn blocks_do_not_change_the_numbers() {
    // More rows than one block: the sums are those of all pairs.
    let (x, y) = (features(1100, 4, 1, 1.1, 0.25), features(700, 4, 2, 1.0, 0.0));
    let kernel = |a: &[f32], b: &[f32]| {
        let dot: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        (dot / 4.0 + 1.0).powi(3)
    };
    let mean = |a: &Rows, b: &Rows, own: bool| {
        let sum: f64 = (0..a.len())
            .flat_map(|i| (0..b.len()).filter(move |j| !own || i != *j).map(move |j| (i, j)))
            .map(|(i, j)| kernel(&a[i], &b[j]))
            .sum();
        sum / (a.len() * (b.len() - usize::from(own))) as f64
    };
    let wanted = mean(&x, &x, true) + mean(&y, &y, true) - 2.0 * mean(&x, &y, false);
    assert!(relative(kid(&x, &alone(&x), &y, 0.95).unwrap().value, wanted) < 1e-9);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let estimate = || manifolds(&x, &clustered(1100), &y, 5, 0.95).unwrap();
    assert_eq!(one.install(estimate), estimate());
}

#[test]
fn fd_infinity_takes_off_the_bias_of_few_images() {
    // Two samples of one distribution in 24 dimensions: the true distance to a large reference is near 0.
    let (x, y) = (features(240, 24, 1, 1.0, 0.0), features(4000, 24, 2, 1.0, 0.0));
    let plain = frechet_estimate(&x, &alone(&x), &y, 0.95).unwrap();
    let infinite = frechet_infinity(&x, &alone(&x), &y, 0, 0.95).unwrap();
    assert!(infinite.slope > 0.0 && infinite.points.len() == 15);
    assert!(infinite.distance.value.abs() < 0.3 * plain.value, "{infinite:?} {plain:?}");
    assert!(infinite.distance.low.unwrap() < 0.0 && infinite.distance.high.unwrap() > 0.0);
    assert!(plain.low.unwrap() > 0.0);
}

/// Whether two sets can be compared.
type Metric<'a> = &'a dyn Fn(&Rows, &Rows) -> Result<(), EvalError>;

#[test]
fn bad_features_are_refused_by_name() {
    let x = features(6, 4, 1, 1.0, 0.0);
    let alone = alone(&x);
    let mut hole = x.clone();
    hole[3][1] = f32::NAN;
    let narrow = features(6, 3, 1, 1.0, 0.0);
    let metrics: [Metric<'_>; 5] = [
        &|a, b| kid(a, &alone, b, 0.95).map(|_| ()),
        &|a, b| cmmd(a, &alone, b, 0.95).map(|_| ()),
        &|a, b| manifolds(a, &alone, b, 3, 0.95).map(|_| ()),
        &|a, b| frechet_estimate(a, &alone, b, 0.95).map(|_| ()),
        &|a, b| frechet_from_rows(a, b).map(|_| ()),
    ];
    for metric in metrics {
        let message = metric(&hole, &x).unwrap_err().to_string();
        assert!(message.contains("features, row 3") && message.contains("NaN"), "{message}");
        let message = metric(&x, &hole).unwrap_err().to_string();
        assert!(message.contains("reference features, row 3"), "{message}");
        assert!(matches!(metric(&x, &narrow), Err(EvalError::SizeMismatch { .. })));
        assert!(matches!(metric(&x, &x[..1].to_vec()), Err(EvalError::TooFew { got: 1, .. })));
    }
    assert!(matches!(kid(&x, &[0, 1], &x, 0.95), Err(EvalError::SizeMismatch { .. })));
    assert!(matches!(manifolds(&x, &alone, &x, 0, 0.95), Err(EvalError::BadOption { .. })));
    assert!(matches!(manifolds(&x, &alone, &x, 6, 0.95), Err(EvalError::TooFew { needed: 7, .. })));
    assert!(matches!(frechet_infinity(&x, &alone, &x, 0, 0.95), Err(EvalError::TooFew { needed: 40, .. })));
    assert!(matches!(inception_score(&hole, &alone, 0.95), Err(EvalError::NotFinite { .. })));
}
