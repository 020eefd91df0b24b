//! Curves over epochs, as SVG.

use super::{Comparison, METRICS};
use adeval_eval::Estimate;
use std::fmt::Write as _;

/// Width and height of a panel's field, and what is around it, in pixels.
const FIELD: (f64, f64) = (250.0, 180.0);
const LEFT: f64 = 56.0;
const TOP: f64 = 34.0;
const PANEL: (f64, f64) = (LEFT + FIELD.0 + 24.0, TOP + FIELD.1 + 44.0);
/// Colours that people with colour blindness tell apart (Okabe and Ito 2008).
const COLOURS: [&str; 7] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];

/// One panel a metric, one curve a group: means over trainings, with bars of their intervals.
pub fn draw(comparison: &Comparison, title: &str) -> String {
    let known = |metric: &str| comparison.groups.iter().any(|group| group.epochs.contains_key(metric));
    let panels: Vec<(&str, &str)> = METRICS.into_iter().filter(|(metric, _)| known(metric)).collect();
    let width = PANEL.0 * panels.len().max(1) as f64;
    let height = PANEL.1 + 24.0 + 18.0 * comparison.groups.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n<text x=\"8\" y=\"16\" font-size=\"13\">{}</text>\n",
        escaped(title)
    );
    for (at, (metric, name)) in panels.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate({} 12)\">", PANEL.0 * at as f64);
        svg += &panel(comparison, metric, name);
        svg += "</g>\n";
    }
    for (at, group) in comparison.groups.iter().enumerate() {
        let y = PANEL.1 + 24.0 + 18.0 * at as f64;
        let colour = COLOURS[at % COLOURS.len()];
        let _ = writeln!(
            svg,
            "<path d=\"M 12 {y} h 24\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"42\" y=\"{}\">{} ({} trainings)</text>",
            y + 4.0,
            escaped(&group.name),
            group.runs
        );
    }
    svg + "</svg>\n"
}

fn panel(comparison: &Comparison, metric: &str, name: &str) -> String {
    let curves: Vec<Option<&Vec<Estimate>>> =
        comparison.groups.iter().map(|group| group.epochs.get(metric)).collect();
    let all = || curves.iter().flatten().flat_map(|curve| curve.iter());
    let low = all().map(|one| one.low.unwrap_or(one.value)).fold(f64::INFINITY, f64::min);
    let high = all().map(|one| one.high.unwrap_or(one.value)).fold(f64::NEG_INFINITY, f64::max);
    let span = (high - low).max(1e-6);
    let epochs = curves.iter().flatten().map(|curve| curve.len()).max().unwrap_or(1);
    let x = |epoch: usize| LEFT + FIELD.0 * epoch as f64 / (epochs - 1).max(1) as f64;
    let y = |value: f64| TOP + FIELD.1 * (1.0 - (value - low) / span);
    let mut svg = format!(
        "<text x=\"{LEFT}\" y=\"{}\">{}</text>\n<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#999\"/>\n",
        TOP - 8.0,
        escaped(name),
        FIELD.0,
        FIELD.1
    );
    for tick in 0..=4 {
        let value = low + span * f64::from(tick) / 4.0;
        let (to, at) = (LEFT - 4.0, y(value));
        let _ = writeln!(
            svg,
            "<path d=\"M {LEFT} {at:.1} H {to}\" stroke=\"#999\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.1}%</text>",
            LEFT - 7.0,
            at + 4.0,
            100.0 * value
        );
    }
    for epoch in 0..epochs {
        let bottom = TOP + FIELD.1;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{epoch}</text>",
            x(epoch),
            bottom + 16.0
        );
    }
    for (at, curve) in curves.iter().enumerate() {
        let Some(curve) = curve else { continue };
        let colour = COLOURS[at % COLOURS.len()];
        // Bars of several curves would lie on each other.
        let aside = 2.0 * (at as f64 - (curves.len() as f64 - 1.0) / 2.0);
        let points: Vec<String> = curve
            .iter()
            .enumerate()
            .map(|(epoch, one)| format!("{:.1},{:.1}", x(epoch) + aside, y(one.value)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        for (epoch, one) in curve.iter().enumerate() {
            if let (Some(low), Some(high)) = (one.low, one.high) {
                let at = x(epoch) + aside;
                let _ = writeln!(
                    svg,
                    "<path d=\"M {at:.1} {:.1} V {:.1}\" stroke=\"{colour}\" opacity=\"0.5\"/>",
                    y(low),
                    y(high)
                );
            }
        }
    }
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::GroupResult;
    use super::*;
    use adeval_eval::Method;

    #[test]
    fn every_group_has_a_curve_and_a_name() {
        let curve = [0.04, 0.06].map(|v| Estimate::with_interval(v, v - 0.01, v + 0.01, 5, Method::StudentT));
        let group = |name: &str| GroupResult {
            name: name.into(),
            runs: 5,
            epochs: [("held_out/judge_ctr".to_owned(), curve.to_vec())].into(),
            changes: [].into(),
        };
        let comparison =
            Comparison { level: 0.95, groups: vec![group("pcpo"), group("a<b")], differences: Vec::new() };
        let svg = draw(&comparison, "Synthetic");
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("a&lt;b") && svg.contains("Judge's CTR") && !svg.contains("Win rate"), "{svg}");
        assert!(svg.contains(">3.0%<") && svg.contains(">7.0%<"), "the field holds the intervals");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
