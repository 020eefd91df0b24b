//! The exact Euclidean distance transform.
//!
//! Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", Theory of Computing 8 (2012): one pass down the
//! columns and one along the rows, each the lower envelope of parabolas.

/// The square of each pixel's distance to the nearest pixel that is `inside`, between pixel centres; infinite if there is
/// none. `inside` holds rows of `width` pixels.
pub fn squared(inside: &[bool], width: usize) -> Vec<f64> {
    let mut field: Vec<f64> = inside.iter().map(|inside| if *inside { 0.0 } else { f64::INFINITY }).collect();
    if width == 0 || field.is_empty() {
        return field;
    }
    for x in 0..width {
        let column: Vec<f64> = field.iter().skip(x).step_by(width).copied().collect();
        let passed = pass(&column);
        field.iter_mut().skip(x).step_by(width).zip(passed).for_each(|(value, new)| *value = new);
    }
    for row in field.chunks_exact_mut(width) {
        let passed = pass(row);
        row.copy_from_slice(&passed);
    }
    field
}

/// One parabola of the envelope: its vertex, and from where on it is the lowest.
struct Parabola {
    at: f64,
    height: f64,
    from: f64,
}

/// `min over q of (p - q)^2 + heights[q]` for every `p`.
fn pass(heights: &[f64]) -> Vec<f64> {
    let mut envelope: Vec<Parabola> = Vec::new();
    for (at, height) in heights.iter().enumerate().filter(|(_, height)| height.is_finite()) {
        let (at, height) = (at as f64, *height);
        let mut from = f64::NEG_INFINITY;
        while let Some(last) = envelope.last() {
            from = ((height + at * at) - (last.height + last.at * last.at)) / (2.0 * (at - last.at));
            if from > last.from {
                break;
            }
            envelope.pop();
            from = f64::NEG_INFINITY;
        }
        envelope.push(Parabola { at, height, from });
    }
    let mut current = 0;
    let lowest = |position: usize| {
        let position = position as f64;
        while envelope.get(current + 1).is_some_and(|next| next.from <= position) {
            current += 1;
        }
        envelope.get(current).map_or(f64::INFINITY, |p| (position - p.at).powi(2) + p.height)
    };
    (0..heights.len()).map(lowest).collect()
}
