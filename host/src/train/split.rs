//! Parts of a list of products that stay what they are when products are added.

use adeval_sdk::rng;

/// The part of each product: 0 for the first share, 1 for the next, ..., and `shares.len()` for the rest.
///
/// Products are ordered by a hash of their ids (`chance` and `seed` make it), so that a product keeps its place when others are
/// added, and only those near a border may change sides.
pub fn parts(ids: &[&str], shares: &[f64], seed: u64, chance: &str) -> Vec<usize> {
    let rank = |id: &str| rng::derive(seed, &[chance, id]);
    let mut ranks: Vec<u64> = ids.iter().map(|id| rank(id)).collect();
    ranks.sort_unstable();
    let mut sum = 0.0;
    let bounds: Vec<u64> = shares
        .iter()
        .map(|share| {
            sum += share;
            let count = (sum * ids.len() as f64).round() as usize;
            ranks.get(count).copied().unwrap_or(u64::MAX)
        })
        .collect();
    ids.iter().map(|id| bounds.partition_point(|bound| *bound <= rank(id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_met_and_products_stay() {
        let names: Vec<String> = (0..200).map(|n| format!("product {n}")).collect();
        let ids: Vec<&str> = names.iter().map(String::as_str).collect();
        let all = parts(&ids, &[0.25, 0.15], 7, "split");
        let count = |part| all.iter().filter(|p| **p == part).count();
        assert_eq!((count(0), count(1), count(2)), (50, 30, 120));
        assert_ne!(all, parts(&ids, &[0.25, 0.15], 8, "split"));
        let fewer = parts(&ids[..150], &[0.25, 0.15], 7, "split");
        let moved = fewer.iter().zip(&all).filter(|(a, b)| a != b).count();
        assert!(moved < 25, "{moved} of 150 changed sides");
    }
}
