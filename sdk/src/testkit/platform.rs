//! The class of machine that makes the same numbers.

/// The class of this machine: architecture, system, and the widest vectors that numeric libraries choose at run time,
/// e.g. `x86_64-linux-avx2`. Creatives of one class are the same to the last bit for most plugins; between classes sums
/// are taken in another order.
pub fn machine_class() -> String {
    format!("{}-{}-{}", std::env::consts::ARCH, std::env::consts::OS, vectors())
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> &'static str {
    if std::arch::is_x86_feature_detected!("avx512f") {
        "avx512"
    } else if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        "avx2"
    } else {
        "sse2"
    }
}

#[cfg(target_arch = "aarch64")]
fn vectors() -> &'static str {
    "neon"
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn vectors() -> &'static str {
    "scalar"
}
