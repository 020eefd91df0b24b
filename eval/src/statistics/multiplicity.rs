//! Many comparisons at once.

/// Holm's step-down correction (1979): the corrected p-values, in the order given. Below a bound of 5%, the chance of
/// even one false alarm is at most 5%, whatever the dependence.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let mut corrected = vec![1.0; p.len()];
    let mut floor: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        floor = floor.max(p[index] * (p.len() - rank) as f64).min(1.0);
        corrected[index] = floor;
    }
    corrected
}

/// Benjamini and Hochberg's step-up correction (1995): the corrected p-values (q-values), in the order given. Of the
/// comparisons below 5%, at most 5% are false alarms on average, for independent or positively dependent tests. For
/// screening many entries; a claim about one of them wants [`holm`].
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let mut corrected = vec![1.0; p.len()];
    let mut ceiling: f64 = 1.0;
    for (rank, &index) in order.iter().enumerate().rev() {
        ceiling = ceiling.min(p[index] * p.len() as f64 / (rank + 1) as f64);
        corrected[index] = ceiling;
    }
    corrected
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}
