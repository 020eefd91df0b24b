//! Kernels for float32 on x86-64 processors with AVX2 or AVX-512, where candle's generic CPU code leaves most of the
//! machine unused. Every kernel has a generic counterpart in candle; the callers fall back to it on other machines,
//! devices and element types.

pub mod attention;
pub mod causal;
pub mod conv;
pub mod gemm;
pub mod linear;
pub mod math;
pub mod norm;
mod simd;

use candle_core::{DType, Storage, Tensor};

use crate::Result;

/// What the kernels run on; none on a processor without AVX2 and fused multiply-add.
pub fn set() -> Option<simd::Set> {
    simd::Set::best()
}

/// Whether a tensor is one that the kernels take: float32 in this machine's memory, and a processor that has them.
pub fn takes(tensor: &Tensor) -> bool {
    tensor.dtype() == DType::F32 && tensor.device().is_cpu() && set().is_some()
}

/// Calls `f` with the values of tensors for which [`takes`] is true, in row-major order.
///
/// # Errors
/// Failures of candle, and of `f`.
pub fn with_values<const N: usize, T>(
    tensors: [&Tensor; N],
    f: impl FnOnce([&[f32]; N]) -> Result<T>,
) -> Result<T> {
    let mut contiguous = Vec::with_capacity(N);
    for tensor in tensors {
        contiguous.push(tensor.contiguous()?);
    }
    let guards: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut values = [&[][..]; N];
    for (slot, (storage, layout)) in values.iter_mut().zip(&guards) {
        let Storage::Cpu(storage) = &**storage else {
            return Err(
                candle_core::Error::Msg("a CPU kernel was given a tensor of another device".into()).into()
            );
        };
        let start = layout.start_offset();
        *slot = &storage.as_slice::<f32>()?[start..start + layout.shape().elem_count()];
    }
    f(values)
}

/// A buffer that parallel tasks write to, each to places of its own.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: whoever makes one gives disjoint places to the tasks; see each use.
#[expect(unsafe_code, reason = "tasks write disjoint tiles of one matrix, which slices cannot express")]
unsafe impl Send for Shared {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "as above")]
unsafe impl Sync for Shared {}

impl Shared {
    /// The place `offset` values behind the start. A method, so that closures capture the whole.
    fn at(self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

#[cfg(test)]
mod tests;
