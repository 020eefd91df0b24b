//! Gradients beside differences of the loss.

use std::collections::BTreeMap;

use adeval_models::training::Gradients;
use candle_core::{Tensor, Var};

/// The Euclidean norm.
pub fn norm(tensor: &Tensor) -> f64 {
    f64::from(tensor.sqr().and_then(|t| t.sum_all()?.to_scalar::<f32>()).expect("a number")).sqrt()
}

/// For each variable: the length of its gradient, and the slope of the loss along it by differences; `loss` computes it with the
/// variables as they are.
pub fn slopes(
    variables: &BTreeMap<String, Var>,
    gradients: &Gradients,
    mut loss: impl FnMut() -> f64,
) -> BTreeMap<String, (f64, f64)> {
    let mut found = BTreeMap::new();
    for (name, variable) in variables {
        let gradient = gradients.get(name).unwrap_or_else(|| panic!("{name} gets no gradient"));
        assert_eq!(gradient.dims(), variable.dims(), "{name}");
        let length = norm(gradient);
        let start = variable.as_detached_tensor().copy().expect("a copy");
        let direction = (gradient / length.max(1e-30)).expect("a direction");
        let step = 1e-2;
        let mut at = |by: f64| {
            variable.set(&(&start + (&direction * by).expect("a step")).expect("a sum")).expect("set");
            loss()
        };
        let slope = (at(step) - at(-step)) / (2.0 * step);
        at(0.0);
        found.insert(name.clone(), (length, slope));
    }
    found
}
