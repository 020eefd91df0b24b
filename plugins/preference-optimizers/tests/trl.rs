//! Losses, gradients and metrics equal trl's on the same log-probabilities (`fixtures/scripts/goldens_optimizers.py`).

use adeval_sdk::prelude::*;
use preference_optimizers::{Dpo, Grpo, Kto, Pcpo, Reinforce};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

const LIMIT: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    reference: String,
    batches: BTreeMap<String, PreferenceBatch>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    optimizer: String,
    parameters: Value,
    batch: String,
    /// Absent where trl's loss and ours differ by what has no gradient.
    loss: Option<f64>,
    groups: Vec<Vec<SampleGradient>>,
    metrics: BTreeMap<String, f64>,
}

fn golden() -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/goldens/optimizers/losses.json");
    serde_json::from_slice(&std::fs::read(path).expect("the golden is there")).expect("the golden is JSON")
}

fn answer<T: RlOptimizer>(parameters: &Value, batch: &PreferenceBatch) -> LossAndGradient {
    let parameters = serde_json::from_value(parameters.clone()).expect("known parameters");
    let optimizer = T::create(parameters, &Environment::default()).expect("good parameters");
    optimizer.loss(batch, &CallContext::detached()).expect("a loss")
}

fn answered(case: &Case, batch: &PreferenceBatch) -> LossAndGradient {
    match case.optimizer.as_str() {
        "dpo" => answer::<Dpo>(&case.parameters, batch),
        "pcpo" => answer::<Pcpo>(&case.parameters, batch),
        "kto" => answer::<Kto>(&case.parameters, batch),
        "reinforce" => answer::<Reinforce>(&case.parameters, batch),
        "grpo" => answer::<Grpo>(&case.parameters, batch),
        other => panic!("{other} is no optimizer of this plugin"),
    }
}

/// Every derivative, in order.
fn flat(groups: &[Vec<SampleGradient>]) -> Vec<f64> {
    groups
        .iter()
        .flatten()
        .flat_map(|s| std::iter::once(&s.clean).chain(&s.corrupted))
        .flatten()
        .copied()
        .collect()
}

fn relative(found: &[f64], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let scale = wanted.iter().fold(0.0_f64, |most, v| most.max(v.abs())).max(1e-30);
    found.iter().zip(wanted).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs())) / scale
}

fn title(case: &Case) -> String {
    let Value::Object(parameters) = &case.parameters else { panic!("parameters are a table") };
    let said: Vec<String> =
        parameters.iter().map(|(k, v)| format!("{k} {}", v.to_string().trim_matches('"'))).collect();
    format!("{}, {}: {}", case.optimizer, case.batch, said.join(", ")).trim_end_matches(": ").to_owned()
}

/// A row for `cargo xtask parity`.
fn note(reference: &str, case: &str, measure: &str, error: f64) {
    let Some(folder) = std::env::var_os("ADEVAL_PARITY") else { return };
    let path = Path::new(&folder).join("optimizers.tsv");
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the parity folder");
    file.write_all(format!("{reference}\t{case}\t{measure}\t{error:.1e}\t{LIMIT:e}\n").as_bytes())
        .expect("the parity folder");
}

#[test]
fn losses_gradients_and_metrics_are_those_of_trl() {
    let golden = golden();
    assert!(golden.cases.len() > 30);
    for case in &golden.cases {
        let (name, found) = (title(case), answered(case, &golden.batches[&case.batch]));
        let check = |measure: &str, error: f64| {
            note(&golden.reference, &name, measure, error);
            assert!(error <= LIMIT, "{name}: {measure} off by {error:.1e}");
        };
        if let Some(loss) = case.loss {
            check("loss, relative", (found.loss - loss).abs() / loss.abs().max(1e-3));
        }
        check("gradient, max relative", relative(&flat(&found.groups), &flat(&case.groups)));
        for (metric, wanted) in &case.metrics {
            let value = found.metrics.get(metric).unwrap_or_else(|| panic!("{name} reports no {metric}"));
            assert!(
                (value - wanted).abs() <= LIMIT * wanted.abs().max(1.0),
                "{name}: {metric} is {value}, {wanted} in trl"
            );
        }
    }
}
