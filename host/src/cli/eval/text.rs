//! Numbers for people.

use adeval_eval::Estimate;

/// `71.2% [69.0%, 73.3%]`.
pub fn percent(estimate: &Estimate) -> String {
    shown(estimate, &|v| format!("{:.1}%", 100.0 * v))
}

/// The same with more digits, for click-through rates.
pub fn rate(estimate: &Estimate) -> String {
    let digits = if estimate.value < 0.1 { 3 } else { 2 };
    shown(estimate, &|v| format!("{:.digits$}%", 100.0 * v))
}

/// `+3.1% [+1.0%, +5.3%]`.
pub fn signed_percent(estimate: &Estimate) -> String {
    // What rounds to 0 has no sign.
    shown(estimate, &|v| format!("{:+.1}%", 100.0 * v).replace("-0.0%", "+0.0%"))
}

/// `0.7123 [0.6900, 0.7330]`.
pub fn number(estimate: &Estimate) -> String {
    shown(estimate, &|v| format!("{v:.4}"))
}

/// `+0.0123 [-0.0010, +0.0250]`.
pub fn signed(estimate: &Estimate) -> String {
    shown(estimate, &|v| format!("{v:+.4}"))
}

/// A dash for a number that cannot be computed.
pub fn or_dash(estimate: Option<&Estimate>, show: fn(&Estimate) -> String) -> String {
    estimate.map_or_else(|| "-".into(), show)
}

/// Notes below tables.
pub fn notes(notes: &[String]) -> String {
    notes.iter().map(|note| format!("\nNote: {note}\n")).collect()
}

fn shown(estimate: &Estimate, number: &dyn Fn(f64) -> String) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => {
            format!("{} [{}, {}]", number(estimate.value), number(low), number(high))
        }
        _ => number(estimate.value),
    }
}
