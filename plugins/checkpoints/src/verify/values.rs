//! Counting values that no trained model holds.

use crate::DType;
use half::{bf16, f16};

/// Values that are not finite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct NotFinite {
    pub nan: u64,
    pub infinite: u64,
}

/// Counts in little-endian elements of a type; other types than floats of 16 to 64 bits hold none.
pub(super) fn count(dtype: DType, bytes: &[u8]) -> NotFinite {
    match dtype {
        DType::F16 => each(bytes, |raw| f16::from_le_bytes(raw).to_f32()),
        DType::BF16 => each(bytes, |raw| bf16::from_le_bytes(raw).to_f32()),
        DType::F32 => each(bytes, f32::from_le_bytes),
        // An f64 beyond f32's range would be infinite once it is loaded, and counts as such.
        DType::F64 => each(bytes, |raw| f64::from_le_bytes(raw) as f32),
        _ => NotFinite::default(),
    }
}

fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> NotFinite {
    let mut found = NotFinite::default();
    for &raw in bytes.as_chunks::<N>().0 {
        let value = value(raw);
        found.nan += u64::from(value.is_nan());
        found.infinite += u64::from(value.is_infinite());
    }
    found
}
