//! Learned positions of a square of patches, for pictures of another size: what `torch.nn.functional.interpolate` makes of them.

use candle_core::{DType, Device, Tensor};

use crate::Result;
use crate::clip::preprocess::exact_bicubic;

/// How positions between those that were learned are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interpolation {
    /// `mode="bicubic", align_corners=False`: Keys's kernel with a = -3/4 on the four nearest, the edge repeated.
    Bicubic,
    /// The same with `antialias=True`: a = -1/2 and, where there become fewer, a kernel that is as much wider.
    Antialiased,
}

/// `table`: (side * side, hidden), rows from the top; gives (rows * columns, hidden) in the table's type.
pub(crate) fn resized(
    table: &Tensor,
    side: usize,
    [rows, columns]: [usize; 2],
    how: Interpolation,
) -> Result<Tensor> {
    if side == rows && side == columns {
        return Ok(table.clone());
    }
    let axis = |to: usize| match how {
        Interpolation::Bicubic => (0..to).map(|out| nearest_four(out, side, to)).collect::<Vec<_>>(),
        Interpolation::Antialiased => exact_bicubic(side as u32, to as u32),
    };
    let (down, across) = (axis(rows), axis(columns));
    let mut mix = vec![0f32; rows * columns * side * side];
    for (line, (y, x)) in
        mix.chunks_exact_mut(side * side).zip((0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))))
    {
        for (from_y, weight_y) in &down[y] {
            for (from_x, weight_x) in &across[x] {
                line[from_y * side + from_x] += (weight_y * weight_x) as f32;
            }
        }
    }
    let mix =
        Tensor::from_vec(mix, (rows * columns, side * side), &Device::Cpu)?.to_device(table.device())?;
    Ok(mix.matmul(&table.to_dtype(DType::F32)?)?.to_dtype(table.dtype())?)
}

/// Places and weights of the four around an output; those beyond the edge are the edge's.
fn nearest_four(out: usize, side: usize, to: usize) -> Vec<(usize, f64)> {
    let at = (out as f64 + 0.5) * (side as f64 / to as f64) - 0.5;
    let (low, part) = (at.floor(), at - at.floor());
    let tap = |offset: i32| {
        let place = (low + f64::from(offset)).clamp(0.0, side as f64 - 1.0) as usize;
        (place, keys(part - f64::from(offset)))
    };
    [-1, 0, 1, 2].map(tap).to_vec()
}

fn keys(x: f64) -> f64 {
    const A: f64 = -0.75;
    let x = x.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    }
}
