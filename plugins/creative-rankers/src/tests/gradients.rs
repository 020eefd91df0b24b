//! Whole networks: the gradient of the loss against finite differences in `f64`, and what every tensor gets of it.

use crate::cg4ctr::{Fusion, Seen};
use crate::loss::Labels;
use crate::network::{Network, Sight, learn};
use crate::vam::Vam;
use crate::vision::Mlp;
use crate::{Cg4CtrParameters, text};
use std::sync::Arc;

const LABELS: Labels = Labels { left: 0.8, ctr: Some((0.3, 0.1)), point_weight: 0.5 };
const SEED: u64 = 9;

fn number(at: usize) -> f32 {
    (((at + 1) as f64) * 12.9898).sin() as f32
}

fn features(count: usize, from: usize) -> Arc<[f32]> {
    (0..count).map(|at| number(at + from)).collect()
}

fn sight<S>(key: &str, seen: S) -> Sight<S> {
    Sight { key: key.to_owned(), seen }
}

fn gradient<N: Network>(
    network: &N,
    sights: [&Sight<N::Seen>; 2],
    weights: &[f64],
    labels: &Labels,
) -> Vec<f64> {
    let mut gradient = vec![0.0; weights.len()];
    learn(network, weights, sights, labels, SEED, &mut gradient);
    gradient
}

fn loss<N: Network>(network: &N, sights: [&Sight<N::Seen>; 2], weights: &[f64]) -> f64 {
    let mut unused = vec![0.0; weights.len()];
    learn(network, weights, sights, &LABELS, SEED, &mut unused).total(LABELS.point_weight)
}

fn check<N: Network>(network: &N, sights: [&Sight<N::Seen>; 2]) {
    let weights: Vec<f64> = network.layout().initial(4).into_iter().map(f64::from).collect();
    let found = gradient(network, sights, &weights, &LABELS);
    let scale = found.iter().map(|g| g * g).sum::<f64>().sqrt();
    assert!(scale > 1e-3, "the gradient is {scale}");
    for entry in network.layout().entries() {
        let range = entry.slot.range();
        let own = found[range.clone()].iter().map(|g| g * g).sum::<f64>().sqrt();
        assert!(own > 1e-9 * scale, "{} receives a gradient of {own}", entry.name);
        // The three largest of the tensor, and one in its middle.
        let mut order: Vec<usize> = range.clone().collect();
        order.sort_by(|a, b| found[*b].abs().total_cmp(&found[*a].abs()));
        order.truncate(3);
        order.push(range.start + range.len() / 2);
        for index in order {
            let h = 1e-6;
            let at = |by: f64| {
                let mut moved = weights.clone();
                moved[index] += by;
                loss(network, sights, &moved)
            };
            let wanted = (at(h) - at(-h)) / (2.0 * h);
            let off = (wanted - found[index]).abs();
            assert!(off < 1e-6 * scale, "{} at {index}: {}, not {wanted}", entry.name, found[index]);
        }
    }
    in_single_precision(network, sights, &found, scale);
}

/// What runs in training is the same code in `f32`.
fn in_single_precision<N: Network>(network: &N, sights: [&Sight<N::Seen>; 2], wide: &[f64], scale: f64) {
    let weights = network.layout().initial(4);
    let mut gradient = vec![0f32; weights.len()];
    learn(network, &weights, sights, &LABELS, SEED, &mut gradient);
    let off = gradient.iter().zip(wide).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>().sqrt();
    assert!(off < 1e-5 * scale, "the gradient in f32 is off by {off} of {scale}");
}

#[test]
fn of_the_network_on_features() {
    let network = Mlp::new(40, 24, 0.2, -2.0);
    check(&network, [&sight("a", features(40, 0)), &sight("b", features(40, 50))]);
}

#[test]
fn of_the_network_on_pixels() {
    let network = Vam::new(32, -2.0);
    let picture = |from: usize| -> Arc<[u8]> {
        (0..3 * 32 * 32).map(|at| (127.0 + 127.0 * number((at + from) / 5)) as u8).collect()
    };
    check(&network, [&sight("a", picture(0)), &sight("b", picture(4000))]);
}

fn fusion() -> (Fusion, Sight<Seen>, Sight<Seen>) {
    let parameters = Cg4CtrParameters { width: 8, buckets: 32, dropout: 0.2, ..Cg4CtrParameters::default() };
    let seen = |from| Seen {
        image: features(20, from),
        title: text::places("red leather handbag", 32),
        category: text::places("bags", 32),
    };
    (Fusion::new(20, &parameters), sight("a", seen(0)), sight("b", seen(50)))
}

#[test]
fn of_the_network_on_image_and_text() {
    let (network, left, right) = fusion();
    check(&network, [&left, &right]);
}

#[test]
fn without_a_point_loss_only_the_heads_of_the_ctr_rest() {
    let network = Mlp::new(40, 24, 0.0, -2.0);
    let weights: Vec<f64> = network.layout().initial(4).into_iter().map(f64::from).collect();
    let sights = [&sight("a", features(40, 0)), &sight("b", features(40, 50))];
    for labels in [Labels { point_weight: 0.0, ..LABELS }, Labels { ctr: None, ..LABELS }] {
        let gradient = gradient(&network, sights, &weights, &labels);
        for entry in network.layout().entries() {
            let rests = gradient[entry.slot.range()].iter().all(|g| *g == 0.0);
            assert_eq!(rests, entry.name.starts_with("ctr."), "{}", entry.name);
        }
    }
}

#[test]
fn a_creative_against_itself_moves_no_preference() {
    let network = Mlp::new(40, 24, 0.3, -2.0);
    let weights = network.layout().initial(4);
    let same = sight("a", features(40, 0));
    let mut gradient = vec![0f32; weights.len()];
    let labels = Labels { left: 1.0, ctr: None, point_weight: 0.5 };
    learn(&network, &weights, [&same, &same], &labels, SEED, &mut gradient);
    assert!(gradient.iter().all(|g| *g == 0.0), "what dropout leaves out comes from the creative");
}
