//! The learning rate over the steps of an epoch, and orders that a seed decides.

use adeval_sdk::rng;

/// The share of the peak rate at a step (from 0): a linear rise over `warm_up` steps, then half a cosine down.
///
/// It is transformers' cosine schedule with warm-up, but that no step has a rate of exactly 0, which an optimizer refuses.
pub fn cosine(step: u64, steps: u64, warm_up: u64) -> f64 {
    if step < warm_up {
        return (step + 1) as f64 / (warm_up + 1) as f64;
    }
    let progress = (step - warm_up) as f64 / steps.saturating_sub(warm_up).max(1) as f64;
    0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
}

/// The numbers below `count` in an order by seed.
pub fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_cached_key(|at| rng::derive(seed, &["order", &at.to_string()]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls_and_is_never_zero() {
        let rates: Vec<f64> = (0..20).map(|step| cosine(step, 20, 4)).collect();
        assert!(rates[..5].is_sorted() && rates[4] == 1.0, "{rates:?}");
        assert!(rates[4..].is_sorted_by(|a, b| a > b) && rates.iter().all(|r| *r > 0.0), "{rates:?}");
        assert_eq!(cosine(0, 1, 0), 1.0);
        assert!((cosine(5, 10, 0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn an_order_is_of_its_seed_and_holds_every_number_once() {
        let order = shuffled(50, 3);
        assert_eq!(order, shuffled(50, 3));
        assert_ne!(order, shuffled(50, 4));
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }
}
