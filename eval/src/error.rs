//! What can go wrong with the numbers that come in.

/// An input that no number can be made of; the message names what is wrong and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A value is NaN or infinite.
    #[error(
        "{place}: {metric} is {value}; every value must be finite: fix the plugin that gave it, or leave the item out as failed"
    )]
    NotFinite {
        /// Entry, product, judge or set that the value belongs to.
        place: String,
        /// Which number.
        metric: String,
        /// `NaN`, `inf` or `-inf`.
        value: f64,
    },
    /// A value lies outside the range that its metric has.
    #[error("{place}: {metric} is {value}; it must lie in [{low}, {high}]")]
    OutOfRange {
        /// Entry, product or judge that the value belongs to.
        place: String,
        /// Which number.
        metric: String,
        /// The value.
        value: f64,
        /// Smallest legal value.
        low: f64,
        /// Largest legal value.
        high: f64,
    },
    /// Vectors or images that must agree in size do not.
    #[error("{place}: {what} has size {got}, but {want} is needed")]
    SizeMismatch {
        /// Where.
        place: String,
        /// What has the wrong size.
        what: String,
        /// Its size.
        got: String,
        /// The size that the rest has.
        want: String,
    },
    /// Too few items for the number that was asked for.
    #[error("{what} needs at least {needed} items, but there are {got}")]
    TooFew {
        /// The number.
        what: String,
        /// How many there are.
        got: usize,
        /// How many it needs.
        needed: usize,
    },
    /// No pixel of the product can be compared.
    #[error("no pixel of the product can be compared: {reason}")]
    EmptyMask {
        /// Why: off the canvas, or nowhere opaque.
        reason: String,
    },
    /// A picture in which nothing changes has no statistics of its contrast.
    #[error("the picture has one colour, or nearly: there is no contrast to judge")]
    NoStatistics,
    /// A name that the evidence does not define.
    #[error("{place}: unknown {what} \"{name}\"; known: {known}")]
    Unknown {
        /// Where it was used.
        place: String,
        /// Entry, product or judge.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A name that must be unique occurs twice.
    #[error("{what} \"{name}\" occurs more than once")]
    Duplicate {
        /// Entry, product, judge, item or comparison.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Counts of a creative that cannot be.
    #[error(
        "{place}: {clicks} clicks of {impressions} impressions; a creative needs impressions, and at least as many as clicks"
    )]
    Counts {
        /// Which creative.
        place: String,
        /// Its clicks.
        clicks: u64,
        /// Its impressions.
        impressions: u64,
    },
    /// A logged action whose chance to be taken is unknown or none.
    #[error(
        "{place}: the propensity is {value}; it must lie in (0, 1]: what was logged had a chance to be, so log it, or leave the row out and say so"
    )]
    Propensity {
        /// Which row.
        place: String,
        /// Its propensity.
        value: f64,
    },
    /// An option outside its range.
    #[error("option {option} is {value}; {rule}")]
    BadOption {
        /// The option's name.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A decomposition did not converge.
    #[error("{what} did not converge; the input is finite, so please report it with the numbers")]
    Numerical {
        /// Which computation.
        what: String,
    },
}

impl EvalError {
    /// A vector or image whose size does not fit the rest.
    pub(crate) fn size(place: &str, what: &str, got: usize, want: usize) -> Self {
        Self::SizeMismatch {
            place: place.into(),
            what: what.into(),
            got: got.to_string(),
            want: want.to_string(),
        }
    }
}
