//! Two judges on the same pairs: does one get more of them right?

/// McNemar's test (1947) on the pairs that exactly one of two judges got right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// Exact two-sided p-value of the conditional binomial test; conservative.
    pub exact: f64,
    /// Mid-p version (Fagerland, Lydersen and Laake 2013): its size is close to nominal, and rarely above it.
    pub mid_p: f64,
}

/// Tests `only_first` against `only_second`. Takes the pairs as independent: with several pairs a product use
/// [`super::permutation::sign_flip`] on each product's difference in accuracy instead. Without a discordant pair both
/// p-values are 1.
pub fn mcnemar(only_first: u64, only_second: u64) -> McNemar {
    let n = only_first + only_second;
    let fewer = only_first.min(only_second);
    if n == 0 {
        return McNemar { exact: 1.0, mid_p: 1.0 };
    }
    let (at, tail) = half_binomial(fewer, n);
    if only_first == only_second {
        return McNemar { exact: 1.0, mid_p: 1.0 - at / 2.0 };
    }
    McNemar { exact: (2.0 * tail).min(1.0), mid_p: 2.0 * tail - at }
}

/// P(X = k) and P(X <= k) for X binomial with n trials of probability 1/2, summed downwards until nothing is added.
fn half_binomial(k: u64, n: u64) -> (f64, f64) {
    use statrs::function::factorial::ln_binomial;
    let at = (ln_binomial(n, k) - n as f64 * std::f64::consts::LN_2).exp();
    let (mut term, mut tail) = (at, at);
    for j in (1..=k).rev() {
        term *= j as f64 / (n - j + 1) as f64;
        if term < tail * 1e-18 {
            break;
        }
        tail += term;
    }
    (at, tail)
}
