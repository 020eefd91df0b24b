//! The inner part of a matrix product: a block of `C += A B` with `B` in packed panels.
//!
//! `B` is cut into panels of 32 columns; a panel holds its rows one after the other, so that one step of the product
//! reads two vectors of `B` and one value from each of ten rows of `A`, and keeps twenty vectors of `C` in registers
//! (on AVX2, twelve of half the size). The sum over `k` runs from first to last in each element of `C`, whatever the number of threads.

use super::simd::{Kind, Set};

/// Rows of `A` that are gone over while one panel stays in the first cache: 240 KiB of them, for the second.
pub const ROWS: usize = 240;
/// Columns of a panel.
pub const PANEL: usize = 32;
/// Steps of the product that are done in one go: a panel's part of 32 KiB stays in the first cache.
pub const DEPTH: usize = 256;

/// Rows of `A`: `rows` of them, `stride` values apart, each with at least `depth` values from its start on.
#[derive(Clone, Copy)]
pub struct Rows {
    /// The first value.
    pub start: *const f32,
    /// From row to row.
    pub stride: usize,
    /// How many.
    pub count: usize,
}

/// Panels of `B`, of which the product uses `depth` rows of 32 values each from their starts on.
#[derive(Clone, Copy)]
pub struct Panels {
    /// The first value.
    pub start: *const f32,
    /// From panel to panel.
    pub stride: usize,
    /// Columns in all; those of the last panel that are missing must still be there, whatever they hold.
    pub columns: usize,
}

/// Where the product goes: row-major.
#[derive(Clone, Copy)]
pub struct Target {
    /// The first value.
    pub start: *mut f32,
    /// From row to row.
    pub stride: usize,
    /// Whether the product is added to what is there.
    pub add: bool,
}

/// `C = A B` or `C += A B`, where the sum has `depth` terms.
///
/// # Safety
/// `a`, `b` and `c` must describe memory that may be read (`a`, `b`) and written by this call alone (`c`).
#[expect(
    unsafe_code,
    reason = "the innermost loops read through pointers: bounds checks there cost a third of the speed"
)]
pub unsafe fn block(set: Set, depth: usize, a: Rows, b: Panels, c: Target) {
    #[cfg(target_arch = "x86_64")]
    for row in (0..a.count).step_by(ROWS) {
        // SAFETY: a `Set` exists only for what the processor has; the memory is the caller's promise.
        unsafe {
            let a = Rows { start: a.start.add(row * a.stride), count: (a.count - row).min(ROWS), ..a };
            let c = Target { start: c.start.add(row * c.stride), ..c };
            match set.0 {
                Kind::Avx512 => x86::block_avx512(depth, a, b, c),
                Kind::Avx2 => x86::block_avx2(depth, a, b, c),
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (set, depth, a, b, c);
        unreachable!("no instruction set was found");
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "vector intrinsics on pointers")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps,
        _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    use super::{PANEL, Panels, Rows, Target};

    /// Calls `$tile::<R>` with the number of rows as a constant.
    macro_rules! rows {
        ($tile:ident, $rows:expr, [$($r:literal)*], $arguments:tt) => {
            match $rows {
                $($r => $tile::<$r>$arguments,)*
                _ => {}
            }
        };
    }

    /// Goes over the tiles: all rows for one panel, so that the panel stays in the first cache.
    macro_rules! block {
        ($name:ident, $features:literal, $tile:ident, $most:literal, $width:expr, $rows:tt) => {
            #[target_feature(enable = $features)]
            pub unsafe fn $name(depth: usize, a: Rows, b: Panels, c: Target) {
                for column in (0..b.columns).step_by($width) {
                    let width = (b.columns - column).min($width);
                    for row in (0..a.count).step_by($most) {
                        let rows = (a.count - row).min($most);
                        // SAFETY: row < count and column < columns, so the places are the caller's.
                        unsafe {
                            let a_at = a.start.add(row * a.stride);
                            let b_at = b.start.add(column / PANEL * b.stride + column % PANEL);
                            let c_at = c.start.add(row * c.stride + column);
                            if width == $width {
                                rows!(
                                    $tile,
                                    rows,
                                    $rows,
                                    (depth, a_at, a.stride, b_at, c_at, c.stride, c.add)
                                );
                                continue;
                            }
                            // A narrow tile is computed whole beside the target, then its columns are copied.
                            let mut whole = [0f32; $most * $width];
                            let w = whole.as_mut_ptr();
                            rows!($tile, rows, $rows, (depth, a_at, a.stride, b_at, w, $width, false));
                            for r in 0..rows {
                                for x in 0..width {
                                    let at = c_at.add(r * c.stride + x);
                                    *at = whole[r * $width + x] + if c.add { *at } else { 0.0 };
                                }
                            }
                        }
                    }
                }
            }
        };
    }

    block!(block_avx512, "avx512f", tile_avx512, 10, PANEL, [1 2 3 4 5 6 7 8 9 10]);
    block!(block_avx2, "avx2,fma", tile_avx2, 6, 16, [1 2 3 4 5 6]);

    #[target_feature(enable = "avx512f")]
    unsafe fn tile_avx512<const R: usize>(
        depth: usize,
        a: *const f32,
        a_stride: usize,
        b: *const f32,
        c: *mut f32,
        c_stride: usize,
        add: bool,
    ) {
        // SAFETY: the caller of `block` owns the places.
        unsafe {
            let mut sums: [[__m512; 2]; R] = [[_mm512_setzero_ps(); 2]; R];
            if add {
                for (r, sum) in sums.iter_mut().enumerate() {
                    let at = c.add(r * c_stride);
                    *sum = [_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(16))];
                }
            }
            let rows: [*const f32; R] = std::array::from_fn(|r| a.wrapping_add(r * a_stride));
            for k in 0..depth {
                let at = b.add(k * PANEL);
                let (left, right) = (_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(16)));
                for r in 0..R {
                    let value = _mm512_set1_ps(*rows[r].add(k));
                    sums[r][0] = _mm512_fmadd_ps(value, left, sums[r][0]);
                    sums[r][1] = _mm512_fmadd_ps(value, right, sums[r][1]);
                }
            }
            for (r, sum) in sums.iter().enumerate() {
                let at = c.add(r * c_stride);
                _mm512_storeu_ps(at, sum[0]);
                _mm512_storeu_ps(at.add(16), sum[1]);
            }
        }
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn tile_avx2<const R: usize>(
        depth: usize,
        a: *const f32,
        a_stride: usize,
        b: *const f32,
        c: *mut f32,
        c_stride: usize,
        add: bool,
    ) {
        // SAFETY: the caller of `block` owns the places.
        unsafe {
            let mut sums: [[__m256; 2]; R] = [[_mm256_setzero_ps(); 2]; R];
            if add {
                for (r, sum) in sums.iter_mut().enumerate() {
                    let at = c.add(r * c_stride);
                    *sum = [_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))];
                }
            }
            let rows: [*const f32; R] = std::array::from_fn(|r| a.wrapping_add(r * a_stride));
            for k in 0..depth {
                let at = b.add(k * PANEL);
                let (left, right) = (_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8)));
                for r in 0..R {
                    let value = _mm256_broadcast_ss(&*rows[r].add(k));
                    sums[r][0] = _mm256_fmadd_ps(value, left, sums[r][0]);
                    sums[r][1] = _mm256_fmadd_ps(value, right, sums[r][1]);
                }
            }
            for (r, sum) in sums.iter().enumerate() {
                let at = c.add(r * c_stride);
                _mm256_storeu_ps(at, sum[0]);
                _mm256_storeu_ps(at.add(8), sum[1]);
            }
        }
    }
}
