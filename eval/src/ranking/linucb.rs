//! Linear upper confidence bounds over the creatives of one product.

use super::catalogue::Creative;

/// Bounds z.theta + width sqrt(z.A^-1 z) of each creative (Li et al. 2010), with A = I + sum of n z z^T and
/// theta = A^-1 sum of clicks z over what was shown so far: `seen[i]` = (clicks, impressions) of creative i.
pub(super) fn bounds(creatives: &[Creative], seen: &[(f64, f64)], width: f64) -> Vec<f64> {
    let d = creatives.first().map_or(0, |c| c.features.len());
    let mut a = vec![0.0; d * d];
    let mut b = vec![0.0; d];
    (0..d).for_each(|i| a[i * d + i] = 1.0);
    for (creative, (clicks, shown)) in creatives.iter().zip(seen) {
        let z = &creative.features;
        for i in 0..d {
            b[i] += clicks * z[i];
            (0..d).for_each(|j| a[i * d + j] += shown * z[i] * z[j]);
        }
    }
    let root = cholesky(a, d);
    let theta = backward(&root, forward(&root, b, d), d);
    creatives
        .iter()
        .map(|c| {
            // z.A^-1 z is the squared length of L^-1 z.
            let half = forward(&root, c.features.clone(), d);
            let spread = half.iter().map(|h| h * h).sum::<f64>().sqrt();
            c.features.iter().zip(&theta).map(|(z, t)| z * t).sum::<f64>() + width * spread
        })
        .collect()
}

/// The lower factor L of a positive definite matrix, in place.
fn cholesky(mut a: Vec<f64>, d: usize) -> Vec<f64> {
    for j in 0..d {
        for i in j..d {
            let dot: f64 = (0..j).map(|k| a[i * d + k] * a[j * d + k]).sum();
            let rest = a[i * d + j] - dot;
            a[i * d + j] = if i == j { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / a[j * d + j] };
        }
    }
    a
}

fn forward(root: &[f64], mut v: Vec<f64>, d: usize) -> Vec<f64> {
    for i in 0..d {
        let dot: f64 = (0..i).map(|k| root[i * d + k] * v[k]).sum();
        v[i] = (v[i] - dot) / root[i * d + i];
    }
    v
}

fn backward(root: &[f64], mut v: Vec<f64>, d: usize) -> Vec<f64> {
    for i in (0..d).rev() {
        let dot: f64 = (i + 1..d).map(|k| root[k * d + i] * v[k]).sum();
        v[i] = (v[i] - dot) / root[i * d + i];
    }
    v
}
