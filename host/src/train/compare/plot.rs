//! Curves over epochs, or over the distance that a policy went, as SVG.

use super::{Comparison, GroupResult, KL, METRICS};
use adeval_eval::Estimate;
use std::fmt::Write as _;

/// Width and height of a panel's field, and what is around it, in pixels.
const FIELD: (f64, f64) = (250.0, 180.0);
const LEFT: f64 = 56.0;
const TOP: f64 = 34.0;
const PANEL: (f64, f64) = (LEFT + FIELD.0 + 24.0, TOP + FIELD.1 + 44.0);
/// Colours that people with colour blindness tell apart (Okabe and Ito 2008).
const COLOURS: [&str; 7] = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];

/// What curves run over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Axis {
    /// Epochs, from 0.
    #[default]
    Epoch,
    /// The mean KL divergence from the reference at each epoch, in nats an answer.
    Kl,
}

impl Axis {
    /// A group's places on it, one an epoch; none where the divergence is not known.
    fn places(self, group: &GroupResult) -> Vec<f64> {
        match self {
            Self::Epoch => {
                let epochs = group.epochs.values().map(Vec::len).max().unwrap_or(0);
                (0..epochs).map(|epoch| epoch as f64).collect()
            }
            Self::Kl => group.epochs.get(KL).into_iter().flatten().map(|one| one.value).collect(),
        }
    }

    /// Where it has ticks, with their words, up to a place.
    fn ticks(self, last: f64) -> Vec<(f64, String)> {
        match self {
            Self::Epoch => (0..=last as usize).map(|epoch| (epoch as f64, epoch.to_string())).collect(),
            Self::Kl => {
                (0..=4).map(|at| last * f64::from(at) / 4.0).map(|at| (at, format!("{at:.2}"))).collect()
            }
        }
    }
}

/// One panel a metric, one curve a group: means over trainings, with bars of their intervals.
pub fn draw(comparison: &Comparison, title: &str, axis: Axis) -> String {
    let known = |metric: &str| comparison.groups.iter().any(|group| group.epochs.contains_key(metric));
    let drawn = |metric: &str| known(metric) && !(axis == Axis::Kl && metric == KL);
    let panels: Vec<(&str, &str)> = METRICS.into_iter().filter(|(metric, _)| drawn(metric)).collect();
    let width = PANEL.0 * panels.len().max(1) as f64;
    let height = PANEL.1 + 24.0 + 18.0 * comparison.groups.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n<text x=\"8\" y=\"16\" font-size=\"13\">{}</text>\n",
        escaped(title)
    );
    for (at, (metric, name)) in panels.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate({} 12)\">", PANEL.0 * at as f64);
        svg += &panel(comparison, metric, name, axis);
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

fn panel(comparison: &Comparison, metric: &str, name: &str, axis: Axis) -> String {
    let curves: Vec<Option<&Vec<Estimate>>> =
        comparison.groups.iter().map(|group| group.epochs.get(metric)).collect();
    let all = || curves.iter().flatten().flat_map(|curve| curve.iter());
    let low = all().map(|one| one.low.unwrap_or(one.value)).fold(f64::INFINITY, f64::min);
    let high = all().map(|one| one.high.unwrap_or(one.value)).fold(f64::NEG_INFINITY, f64::max);
    let span = (high - low).max(1e-6);
    let places: Vec<Vec<f64>> = comparison.groups.iter().map(|group| axis.places(group)).collect();
    let last = places.iter().flatten().copied().fold(1e-6, f64::max);
    let x = |place: f64| LEFT + FIELD.0 * place / last;
    let factor = if metric == KL { 1.0 } else { 100.0 };
    let unit = if metric == KL { "" } else { "%" };
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
            "<path d=\"M {LEFT} {at:.1} H {to}\" stroke=\"#999\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.1}{unit}</text>",
            LEFT - 7.0,
            at + 4.0,
            factor * value
        );
    }
    for (place, words) in axis.ticks(last) {
        let bottom = TOP + FIELD.1;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{words}</text>",
            x(place),
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
            .zip(&places[at])
            .map(|(one, place)| format!("{:.1},{:.1}", x(*place) + aside, y(one.value)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        for (one, place) in curve.iter().zip(&places[at]) {
            if let (Some(low), Some(high)) = (one.low, one.high) {
                let at = x(*place) + aside;
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
    use super::*;
    use adeval_eval::Method;

    #[test]
    fn every_group_has_a_curve_and_a_name() {
        let curve = [0.04, 0.06].map(|v| Estimate::with_interval(v, v - 0.01, v + 0.01, 5, Method::StudentT));
        let group = |name: &str| GroupResult {
            name: name.into(),
            runs: 5,
            epochs: [
                ("held_out/judge_ctr".to_owned(), curve.to_vec()),
                (KL.to_owned(), [0.0, 0.8].map(|kl| Estimate::plain(kl, 5)).to_vec()),
            ]
            .into(),
            changes: [].into(),
        };
        let comparison = Comparison {
            level: 0.95,
            groups: vec![group("pcpo"), group("a<b")],
            differences: Vec::new(),
            equal_kl: None,
        };
        let svg = draw(&comparison, "Synthetic", Axis::Epoch);
        assert_eq!(svg.matches("<polyline").count(), 4, "the judge's CTR and the divergence");
        assert!(svg.contains("a&lt;b") && svg.contains("Judge's CTR") && !svg.contains("Win rate"), "{svg}");
        assert!(svg.contains(">3.0%<") && svg.contains(">7.0%<"), "the field holds the intervals");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let svg = draw(&comparison, "Synthetic", Axis::Kl);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(">0.20<") && svg.contains(">0.80<"), "{svg}");
    }
}
