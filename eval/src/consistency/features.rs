//! Comparisons of an encoder's features: a perceptual distance between maps, a similarity between vectors.

use crate::{EvalError, Result};
use adeval_sdk::FeatureMap;

/// The perceptual distance of two pictures of one size: over layers, the sum of the mean over pixels of the squared
/// differences over channels. On the maps of an LPIPS embedder this is LPIPS (Zhang et al. 2018), on those of ST-LPIPS it is
/// ST-LPIPS (Ghildyal and Liu 2022). At least 0.
///
/// # Errors
/// [`EvalError::TooFew`] without maps, [`EvalError::SizeMismatch`] when layers differ in size.
pub fn perceptual_distance(a: &[FeatureMap], b: &[FeatureMap]) -> Result<f64> {
    const PLACE: &str = "perceptual distance";
    if a.is_empty() {
        return Err(EvalError::TooFew { what: PLACE.into(), got: 0, needed: 1 });
    }
    let shape = |map: &FeatureMap| format!("{}x{}x{}", map.channels, map.height, map.width);
    let shapes = |maps: &[FeatureMap]| maps.iter().map(shape).collect::<Vec<_>>().join(", ");
    if shapes(a) != shapes(b) {
        return Err(EvalError::SizeMismatch {
            place: PLACE.into(),
            what: "the second picture's maps".into(),
            got: shapes(b),
            want: shapes(a),
        });
    }
    let layer = |(a, b): (&FeatureMap, &FeatureMap)| {
        let squares =
            a.values.iter().zip(b.values.iter()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        squares.sum::<f64>() / (f64::from(a.height) * f64::from(a.width))
    };
    Ok(a.iter().zip(b).map(layer).sum())
}

/// Cosine of the angle between two vectors, in [-1, 1]; `None` when either is all zeros.
///
/// # Errors
/// [`EvalError::SizeMismatch`].
pub fn cosine(a: &[f32], b: &[f32]) -> Result<Option<f64>> {
    if a.len() != b.len() {
        return Err(EvalError::size("cosine similarity", "the second vector", b.len(), a.len()));
    }
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let length = (dot(a, a) * dot(b, b)).sqrt();
    Ok((length > 0.0).then(|| (dot(a, b) / length).clamp(-1.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(height: u32, width: u32, values: &[f32]) -> FeatureMap {
        let channels = values.len() as u32 / (height * width);
        FeatureMap { channels, height, width, values: values.to_vec().into() }
    }

    #[test]
    fn layers_add_up_and_pixels_are_averaged() {
        let a = [map(1, 2, &[0.0, 0.0, 1.0, 1.0]), map(1, 1, &[2.0])];
        let b = [map(1, 2, &[3.0, 1.0, 1.0, 1.0]), map(1, 1, &[0.0])];
        assert_eq!(perceptual_distance(&a, &b), Ok((9.0 + 1.0) / 2.0 + 4.0));
        assert_eq!(perceptual_distance(&a, &a), Ok(0.0));
    }

    #[test]
    fn what_cannot_be_compared_is_an_error_or_nothing() {
        assert!(matches!(perceptual_distance(&[], &[]), Err(EvalError::TooFew { .. })));
        let error = perceptual_distance(&[map(1, 2, &[0.0; 2])], &[map(2, 1, &[0.0; 2])]).unwrap_err();
        assert!(error.to_string().contains("1x2x1") && error.to_string().contains("1x1x2"), "{error}");
        assert!(cosine(&[1.0], &[1.0, 0.0]).is_err());
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), Ok(None));
        assert_eq!(cosine(&[2.0, 0.0], &[5.0, 0.0]), Ok(Some(1.0)));
    }
}
