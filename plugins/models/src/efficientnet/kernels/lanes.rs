//! Sixteen float lanes in whatever registers the machine has.
//!
//! The only `unsafe` of this crate: vector intrinsics, reached only after the processor was asked for them.

/// Lanes of one vector.
pub const LANES: usize = 16;

/// Sixteen floats. Implementations for an instruction set may be used only inside a function compiled for that set.
pub trait Lanes: Copy {
    /// Accumulators that fit the registers beside the operands.
    const ROWS: usize;
    /// Sixteen values.
    fn load(values: &[f32; LANES]) -> Self;
    /// The same value in every lane.
    fn splat(value: f32) -> Self;
    /// `a * b + c` in each lane, fused where the machine can.
    fn mul_add(a: Self, b: Self, c: Self) -> Self;
    /// Clamps each lane to 0..6.
    fn relu6(self) -> Self;
    /// The lanes in order.
    fn values(self) -> [f32; LANES];
    /// Sixteen values from `at` on.
    #[inline(always)]
    fn load_at(values: &[f32], at: usize) -> Self {
        match values[at..].first_chunk::<LANES>() {
            Some(chunk) => Self::load(chunk),
            None => Self::splat(0.0),
        }
    }
}

/// Plain Rust, for any machine.
#[derive(Clone, Copy)]
pub struct Portable([f32; LANES]);

impl Lanes for Portable {
    const ROWS: usize = 2;
    #[inline(always)]
    fn load(values: &[f32; LANES]) -> Self {
        Self(*values)
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    fn mul_add(a: Self, b: Self, c: Self) -> Self {
        // Not `f32::mul_add`: without the instruction that is a slow library call.
        Self(std::array::from_fn(|i| a.0[i] * b.0[i] + c.0[i]))
    }
    #[inline(always)]
    fn relu6(self) -> Self {
        Self(self.0.map(|v| v.clamp(0.0, 6.0)))
    }
    #[inline(always)]
    fn values(self) -> [f32; LANES] {
        self.0
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps,
        _mm256_setzero_ps, _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps,
        _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{LANES, Lanes};

    /// One 512-bit register.
    #[derive(Clone, Copy)]
    pub struct Avx512(__m512);

    // SAFETY (all of this impl): only `dispatch!` names this type, inside a function with `avx512f` enabled that it
    // calls after detecting it. Loads and stores are unaligned and stay inside the array that is borrowed.
    impl Lanes for Avx512 {
        const ROWS: usize = 12;
        #[inline(always)]
        fn load(values: &[f32; LANES]) -> Self {
            Self(unsafe { _mm512_loadu_ps(values.as_ptr()) })
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(value) })
        }
        #[inline(always)]
        fn mul_add(a: Self, b: Self, c: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(a.0, b.0, c.0) })
        }
        #[inline(always)]
        fn relu6(self) -> Self {
            unsafe { Self(_mm512_min_ps(_mm512_max_ps(self.0, _mm512_setzero_ps()), _mm512_set1_ps(6.0))) }
        }
        #[inline(always)]
        fn values(self) -> [f32; LANES] {
            let mut out = [0.0; LANES];
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), self.0) };
            out
        }
    }

    /// Two 256-bit registers.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256, __m256);

    // SAFETY (all of this impl): as for `Avx512`, with `avx2` and `fma`; the second half starts eight floats in.
    impl Lanes for Avx2 {
        const ROWS: usize = 6;
        #[inline(always)]
        fn load(values: &[f32; LANES]) -> Self {
            let at = values.as_ptr();
            unsafe { Self(_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))) }
        }
        #[inline(always)]
        fn splat(value: f32) -> Self {
            let both = unsafe { _mm256_set1_ps(value) };
            Self(both, both)
        }
        #[inline(always)]
        fn mul_add(a: Self, b: Self, c: Self) -> Self {
            unsafe { Self(_mm256_fmadd_ps(a.0, b.0, c.0), _mm256_fmadd_ps(a.1, b.1, c.1)) }
        }
        #[inline(always)]
        fn relu6(self) -> Self {
            unsafe {
                let (zero, six) = (_mm256_setzero_ps(), _mm256_set1_ps(6.0));
                let clamp = |v| _mm256_min_ps(_mm256_max_ps(v, zero), six);
                Self(clamp(self.0), clamp(self.1))
            }
        }
        #[inline(always)]
        fn values(self) -> [f32; LANES] {
            let mut out = [0.0; LANES];
            let at = out.as_mut_ptr();
            unsafe {
                _mm256_storeu_ps(at, self.0);
                _mm256_storeu_ps(at.add(8), self.1);
            }
            out
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

/// An instruction set that this machine has; made only by asking the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set(pub(super) Kind);

/// Instruction sets in the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Set {
    /// The best set that this machine has.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// All sets that this machine has, best first.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                sets.push(Self(Kind::Avx512));
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                sets.push(Self(Kind::Avx2));
            }
        }
        sets.push(Self(Kind::Portable));
        sets
    }
}

/// Runs `kernel::<V>(arguments)` with the lanes of a [`Set`], compiled for that instruction set.
macro_rules! dispatch {
    ($set:expr, $kernel:ident($($arg:ident: $type:ty),*)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f")]
        fn avx512($($arg: $type),*) {
            $kernel::<$crate::efficientnet::kernels::lanes::Avx512>($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2($($arg: $type),*) {
            $kernel::<$crate::efficientnet::kernels::lanes::Avx2>($($arg),*)
        }
        // SAFETY: a `Set` exists only for what the processor was found to have.
        match $set.0 {
            #[cfg(target_arch = "x86_64")]
            $crate::efficientnet::kernels::lanes::Kind::Avx512 => unsafe { avx512($($arg),*) },
            #[cfg(target_arch = "x86_64")]
            $crate::efficientnet::kernels::lanes::Kind::Avx2 => unsafe { avx2($($arg),*) },
            $crate::efficientnet::kernels::lanes::Kind::Portable => {
                $kernel::<$crate::efficientnet::kernels::lanes::Portable>($($arg),*)
            }
        }
    }};
}
pub(super) use dispatch;
