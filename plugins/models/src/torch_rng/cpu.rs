//! The draws of `torch.Generator("cpu")`.

use std::ops::Range;

use super::mt19937::Mt19937;
use super::normal;
use crate::{ModelError, Result};

/// From this many values on, normal draws go block by block and not one by one.
const BLOCKWISE: usize = 16;

/// `torch.Generator("cpu")`.
#[derive(Clone, Debug)]
pub struct CpuGenerator {
    engine: Mt19937,
    /// Box-Muller makes normal values in pairs; the second waits here for the next short draw.
    second: Option<f64>,
}

impl CpuGenerator {
    /// A generator with `manual_seed(seed)`, of which the engine sees the low 32 bits.
    pub fn new(seed: u64) -> Self {
        Self { engine: Mt19937::new((seed & 0xffff_ffff) as u32), second: None }
    }

    /// Starts the stream of `seed`; a value that waits is dropped.
    pub fn manual_seed(&mut self, seed: u64) {
        *self = Self::new(seed);
    }

    /// `torch.rand(n)`: uniform values in `[0, 1)`, multiples of 2^-24.
    pub fn rand_f32(&mut self, out: &mut [f32]) {
        out.fill_with(|| uniform_f32(&mut self.engine));
    }

    /// `torch.rand(n, dtype=torch.float64)`: uniform values in `[0, 1)`, multiples of 2^-53.
    pub fn rand_f64(&mut self, out: &mut [f64]) {
        out.fill_with(|| uniform_f64(&mut self.engine));
    }

    /// `torch.randn(n)`: standard normal values.
    pub fn randn_f32(&mut self, out: &mut [f32]) {
        if out.len() < BLOCKWISE {
            out.fill_with(|| self.single() as f32);
        } else {
            normal::fill(out, || uniform_f32(&mut self.engine), normal::transform_f32);
        }
    }

    /// `torch.randn(n, dtype=torch.float64)`: standard normal values.
    pub fn randn_f64(&mut self, out: &mut [f64]) {
        if out.len() < BLOCKWISE {
            out.fill_with(|| self.single());
        } else {
            normal::fill(out, || uniform_f64(&mut self.engine), normal::transform_f64);
        }
    }

    /// `torch.randn(n, dtype=torch.float16)` or `bfloat16`.
    pub(super) fn randn_half<T>(&mut self, count: usize, round: impl Fn(f32) -> T) -> Vec<T> {
        let mut values = vec![0.0; count];
        if count < BLOCKWISE {
            values.fill_with(|| self.single() as f32);
        } else {
            normal::fill_blocks(&mut values, || uniform_f32(&mut self.engine));
        }
        values.into_iter().map(round).collect()
    }

    /// `torch.randint(range.start, range.end, (n,))`: whole numbers of the half-open range.
    ///
    /// # Errors
    /// [`ModelError::Input`] if the range is empty.
    pub fn randint(&mut self, range: Range<i64>, out: &mut [i64]) -> Result<()> {
        if range.is_empty() {
            return Err(ModelError::Input {
                found: format!("the empty range {}..{}", range.start, range.end),
                expected: "a range whose start is below its end",
            });
        }
        let width = range.end.wrapping_sub(range.start) as u64;
        out.fill_with(|| {
            // Short ranges take 32 bits per number, which skews it by at most 1/16.
            let word =
                if width >= 1 << 28 { self.engine.next_u64() } else { u64::from(self.engine.next_u32()) };
            range.start.wrapping_add((word % width) as i64)
        });
        Ok(())
    }

    /// `torch.randperm(count)`: the numbers below `count` in random order (Fisher and Yates).
    ///
    /// # Errors
    /// [`ModelError::Input`] for more than 2^32 / 20 numbers, where PyTorch draws in another way.
    pub fn randperm(&mut self, count: usize) -> Result<Vec<i64>> {
        if count >= (u32::MAX / 20) as usize {
            return Err(ModelError::Input {
                found: format!("a permutation of {count} numbers"),
                expected: "fewer than 214748364",
            });
        }
        let mut order: Vec<i64> = (0..).take(count).collect();
        for at in 0..count.saturating_sub(1) {
            let step = self.engine.next_u32() as usize % (count - at);
            order.swap(at, at + step);
        }
        Ok(order)
    }

    /// One normal value of a short draw.
    fn single(&mut self) -> f64 {
        if let Some(second) = self.second.take() {
            return second;
        }
        let (turn, depth) = (uniform_f64(&mut self.engine), uniform_f64(&mut self.engine));
        let radius = (-2.0 * (-depth).ln_1p()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * turn).sin_cos();
        self.second = Some(radius * sine);
        radius * cosine
    }
}

fn uniform_f32(engine: &mut Mt19937) -> f32 {
    (engine.next_u32() & 0x00ff_ffff) as f32 * 2.0_f32.powi(-24)
}

fn uniform_f64(engine: &mut Mt19937) -> f64 {
    (engine.next_u64() & ((1 << 53) - 1)) as f64 * 2.0_f64.powi(-53)
}
