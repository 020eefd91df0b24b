//! What ends the making of a market, in sentences.

use crate::bench::BenchError;
use crate::records::RecordError;
use adeval_eval::EvalError;
use std::path::PathBuf;

/// Why a market cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarketError {
    /// Another market is there.
    #[error("{} holds a finished market; name another folder, or remove this one", .0.display())]
    Exists(PathBuf),
    /// No creative could be made.
    #[error("no creative could be made, so there is nothing to sell; the warnings above say why")]
    Nothing,
    /// Two creatives would have one name.
    #[error(
        "two creatives would be named \"{0}\": give the products ids that differ in letters, digits, '-', '_' and '.'"
    )]
    SameName(String),
    /// The user asked to stop.
    #[error("stopped; the creatives so far are kept in {}, and the same command goes on from there", .0.display())]
    Interrupted(PathBuf),
    /// Rendering, or a file.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// A creative or a setting that the shoppers cannot look at.
    #[error("{0}")]
    Eval(String),
    /// A table that was written cannot be read again.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A table cannot be written.
    #[error("{0}")]
    Table(String),
}

impl MarketError {
    /// An error of a creative, with its name.
    pub(super) fn of(creative: &str) -> impl Fn(EvalError) -> Self {
        move |error| Self::Eval(format!("creative \"{creative}\": {error}"))
    }
}
