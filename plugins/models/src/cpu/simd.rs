//! Which instruction set a kernel runs on, found out once.

use std::sync::OnceLock;

/// An instruction set that this processor has; made only by asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set(pub(super) Kind);

/// Instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no kernels for this processor"))]
pub(super) enum Kind {
    Avx512,
    Avx2,
}

impl Set {
    /// The best set, or none: then the generic code is the better choice.
    pub fn best() -> Option<Self> {
        static BEST: OnceLock<Option<Set>> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().first().copied())
    }

    /// All sets that this processor has, best first.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let fused =
                std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
            let wide = std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512vl")
                && std::arch::is_x86_feature_detected!("avx512dq");
            if fused && wide {
                sets.push(Self(Kind::Avx512));
            }
            if fused {
                sets.push(Self(Kind::Avx2));
            }
        }
        sets
    }
}

/// Runs `kernel(arguments)`, an `#[inline(always)]` function, compiled for the instruction set.
macro_rules! dispatch {
    ($set:expr, $kernel:ident($($arg:ident: $type:ty),*) $(-> $out:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx2,fma")]
        fn avx512($($arg: $type),*) $(-> $out)? {
            $kernel($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2($($arg: $type),*) $(-> $out)? {
            $kernel($($arg),*)
        }
        match $set.0 {
            // SAFETY: a `Set` exists only for what the processor was found to have.
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::simd::Kind::Avx512 => unsafe { avx512($($arg),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::simd::Kind::Avx2 => unsafe { avx2($($arg),*) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => $kernel($($arg),*),
        }
    }};
}

pub(super) use dispatch;
