//! Derivatives of our own. Candle's fast operations cut the graph without a word (softmax over the last dimension, norms,
//! rotary positions, quantised products), and its product with a frozen matrix computes the matrix's gradient, too.
//!
//! Here a result is computed outside of the graph, by whatever is fastest, and then put into it together with the function
//! that carries the gradient back. So both paths of a layer give the same numbers, bit for bit.

use std::sync::Mutex;

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, Error, Layout, MetalStorage, Result, Shape,
    Storage, Tensor, backend::BackendStorage,
};

/// An operation whose result is known already.
struct Known<F> {
    name: &'static str,
    /// Given away when candle asks for it.
    result: Mutex<Option<Tensor>>,
    backward: F,
}

impl<F> Known<F> {
    fn new(name: &'static str, result: Tensor, backward: F) -> Self {
        Self { name, result: Mutex::new(Some(result)), backward }
    }

    fn take(&self) -> Result<Tensor> {
        let mut held =
            self.result.lock().map_err(|_| Error::Msg(format!("{}: a panic before", self.name)))?;
        let result = held.take().ok_or_else(|| Error::Msg(format!("{}: asked for twice", self.name)))?;
        // Candle's operations begin a storage of their own; a narrowed result would bring the whole with it.
        let whole = result.is_contiguous() && result.layout().start_offset() == 0;
        if whole { Ok(result) } else { result.copy() }
    }

    fn cpu(&self) -> Result<(CpuStorage, Shape)> {
        let result = self.take()?;
        let (storage, layout) = result.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => Ok((storage.clone(), layout.shape().clone())),
            _ => Err(self.elsewhere()),
        }
    }

    fn cuda(&self) -> Result<(CudaStorage, Shape)> {
        let result = self.take()?;
        let (storage, layout) = result.storage_and_layout();
        match &*storage {
            Storage::Cuda(storage) => Ok((storage.try_clone(layout)?, layout.shape().clone())),
            _ => Err(self.elsewhere()),
        }
    }

    fn metal(&self) -> Result<(MetalStorage, Shape)> {
        let result = self.take()?;
        let (storage, layout) = result.storage_and_layout();
        match &*storage {
            Storage::Metal(storage) => Ok((storage.try_clone(layout)?, layout.shape().clone())),
            _ => Err(self.elsewhere()),
        }
    }

    fn elsewhere(&self) -> Error {
        Error::Msg(format!("{}: the result is on another device than the input", self.name))
    }
}

/// The three traits differ in nothing but the number of arguments.
macro_rules! custom_op {
    ($op:ident, [$($s:ident $l:ident),*], [$($arg:ident),*], $out:ty, $grads:ty, $pack:expr) => {
        impl<F: Fn(&Tensor) -> Result<$grads>> $op for Known<F> {
            fn name(&self) -> &'static str {
                self.name
            }

            fn cpu_fwd(&self, $($s: &CpuStorage, $l: &Layout),*) -> Result<(CpuStorage, Shape)> {
                self.cpu()
            }

            fn cuda_fwd(&self, $($s: &CudaStorage, $l: &Layout),*) -> Result<(CudaStorage, Shape)> {
                self.cuda()
            }

            fn metal_fwd(&self, $($s: &MetalStorage, $l: &Layout),*) -> Result<(MetalStorage, Shape)> {
                self.metal()
            }

            fn bwd(&self, $($arg: &Tensor,)* _: &Tensor, grad: &Tensor) -> Result<$out> {
                let pack = $pack;
                Ok(pack((self.backward)(grad)?))
            }
        }
    };
}

custom_op!(CustomOp1, [_s _l], [_a], Option<Tensor>, Tensor, Some);
custom_op!(
    CustomOp2, [_s1 _l1, _s2 _l2], [_a, _b], (Option<Tensor>, Option<Tensor>), [Tensor; 2],
    |[a, b]: [Tensor; 2]| (Some(a), Some(b))
);
custom_op!(
    CustomOp3, [_s1 _l1, _s2 _l2, _s3 _l3], [_a, _b, _c],
    (Option<Tensor>, Option<Tensor>, Option<Tensor>), [Tensor; 3],
    |[a, b, c]: [Tensor; 3]| (Some(a), Some(b), Some(c))
);

/// Puts `result`, which was computed from `x`, into the graph. `backward` gives the gradient of `x` for one of `result`.
pub(crate) fn with_backward(
    name: &'static str,
    x: &Tensor,
    result: Tensor,
    backward: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> crate::Result<Tensor> {
    Ok(x.apply_op1(Known::new(name, result, backward))?)
}

/// As [`with_backward`], for a result of two tensors.
pub(crate) fn with_backward2(
    name: &'static str,
    [a, b]: [&Tensor; 2],
    result: Tensor,
    backward: impl Fn(&Tensor) -> Result<[Tensor; 2]> + Send + Sync + 'static,
) -> crate::Result<Tensor> {
    Ok(a.apply_op2(b, Known::new(name, result, backward))?)
}

/// As [`with_backward`], for a result of three tensors.
pub(crate) fn with_backward3(
    name: &'static str,
    [a, b, c]: [&Tensor; 3],
    result: Tensor,
    backward: impl Fn(&Tensor) -> Result<[Tensor; 3]> + Send + Sync + 'static,
) -> crate::Result<Tensor> {
    Ok(a.apply_op3(b, c, Known::new(name, result, backward))?)
}
