//! Columns that compare an entry's creatives, as a set, with the reference images.

use super::board::Direction;
use super::build::{Filled, column};
use super::evidence::{Distance, Options, ReferenceFeatures};
use super::index::Index;
use crate::distribution::{Manifolds, frechet_title, kernel_title, kid, manifolds};
use crate::{Estimate, Result, frechet_estimate};
use rayon::prelude::*;

/// Neighbours that balls reach to for precision and recall (Kynkäänniemi et al. 2019), and for density and coverage (Naeem
/// et al. 2020).
const PRECISION_NEIGHBOURS: usize = 3;
const DENSITY_NEIGHBOURS: usize = 5;

/// An entry's features and their products.
type Sample<'a> = (Vec<&'a [f32]>, Vec<usize>);

/// The columns that are wanted, for each encoder.
pub(super) fn columns(index: &Index<'_>, options: &Options, notes: &mut Vec<String>) -> Result<Vec<Filled>> {
    let wanted = |distance| options.distances.contains(&distance);
    let mut filled = Vec::new();
    for reference in &index.references {
        let samples = samples(index, &reference.encoder);
        if wanted(Distance::Frechet) {
            filled.push(frechet(reference, &samples, options.level, notes)?);
        }
        if wanted(Distance::Kernel) {
            filled.push(kernel(reference, &samples, options.level)?);
        }
        if wanted(Distance::Manifolds) {
            filled.extend(manifold(reference, &samples, options.level)?);
        }
    }
    Ok(filled)
}

fn samples<'a>(index: &'a Index<'_>, encoder: &str) -> Vec<Sample<'a>> {
    index.entries.iter().map(|entry| entry.features(encoder)).collect()
}

/// A value for each entry that has enough creatives.
fn each<T: Send>(
    samples: &[Sample<'_>],
    least: usize,
    metric: impl Fn(&Sample<'_>) -> Result<T> + Sync,
) -> Result<Vec<Option<T>>> {
    samples.par_iter().map(|s| (s.0.len() >= least).then(|| metric(s)).transpose()).collect()
}

fn frechet(
    reference: &ReferenceFeatures,
    samples: &[Sample<'_>],
    level: f64,
    notes: &mut Vec<String>,
) -> Result<Filled> {
    let encoder = &reference.encoder;
    let values =
        each(samples, 2, |(rows, clusters)| frechet_estimate(rows, clusters, &reference.rows, level))?;
    frechet_notes(encoder, samples, reference.rows.first().map_or(0, Vec::len), notes);
    let count = reference.rows.len();
    let meaning = format!("Fréchet distance of {encoder} features from the {count} reference images");
    let title = frechet_title(encoder);
    Ok(Filled { column: column(format!("fd:{encoder}"), &title, "", Direction::Lower, &meaning), values })
}

fn kernel(reference: &ReferenceFeatures, samples: &[Sample<'_>], level: f64) -> Result<Filled> {
    let encoder = &reference.encoder;
    let values = each(samples, 2, |(rows, clusters)| kid(rows, clusters, &reference.rows, level))?;
    let meaning = format!(
        "Unbiased squared MMD of {encoder} features with KID's cubic kernel, from the {} reference images",
        reference.rows.len()
    );
    let title = kernel_title(encoder);
    Ok(Filled { column: column(format!("kd:{encoder}"), &title, "", Direction::Lower, &meaning), values })
}

/// Titles, ids and meanings of the columns, and what they show.
type Part = (&'static str, usize, fn(&Manifolds) -> Estimate, &'static str);
const PARTS: [Part; 4] = [
    (
        "Precision",
        PRECISION_NEIGHBOURS,
        |m| m.precision,
        "Share of the creatives that look like a reference image",
    ),
    (
        "Recall",
        PRECISION_NEIGHBOURS,
        |m| m.recall,
        "Share of the reference images that a creative looks like",
    ),
    (
        "Density",
        DENSITY_NEIGHBOURS,
        |m| m.density,
        "Reference images that a creative lies near to, over k; 1 is expected",
    ),
    (
        "Coverage",
        DENSITY_NEIGHBOURS,
        |m| m.coverage,
        "Share of the reference images that have a creative near to them",
    ),
];

fn manifold(reference: &ReferenceFeatures, samples: &[Sample<'_>], level: f64) -> Result<Vec<Filled>> {
    let encoder = &reference.encoder;
    let mut filled = Vec::new();
    for k in [PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS] {
        if reference.rows.len() <= k {
            continue;
        }
        let values =
            each(samples, k + 1, |(rows, clusters)| manifolds(rows, clusters, &reference.rows, k, level))?;
        for (title, _, part, meaning) in PARTS.iter().filter(|part| part.1 == k) {
            let id = format!("{}:{encoder}", title.to_lowercase());
            let meaning = format!("{meaning}: {encoder} features, balls to neighbour {k}");
            filled.push(Filled {
                column: column(id, title, "", Direction::Higher, &meaning),
                values: values.iter().map(|v| v.as_ref().map(part)).collect(),
            });
        }
    }
    Ok(filled)
}

fn frechet_notes(encoder: &str, samples: &[Sample<'_>], dimension: usize, notes: &mut Vec<String>) {
    let counts: Vec<usize> = samples.iter().map(|(rows, _)| rows.len()).filter(|n| *n >= 2).collect();
    let (Some(&least), Some(&most)) = (counts.iter().min(), counts.iter().max()) else { return };
    let title = frechet_title(encoder);
    if least < dimension {
        notes.push(format!(
            "{title} has {} images an entry for {dimension} features: the value is biased upwards; compare it only at equal numbers of images.",
            if least == most { most.to_string() } else { format!("{least} to {most}") }
        ));
    }
    if least != most {
        notes.push(format!(
            "{title}: entries have different numbers of images ({least} to {most}), and fewer images make it larger."
        ));
    }
}
