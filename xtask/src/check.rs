//! What CI checks, and in which order: cheap and often wrong first, so that a failure comes fast.

use crate::steps::Step;
use crate::{code, dependencies, schemas, spelling};

/// The format and the code.
pub const LINT: &[Step] = &[code::FORMAT, code::CLIPPY];

/// Everything. Schemas come after the build because they are made by the compiled types.
pub const ALL: &[Step] = &[
    code::FORMAT,
    spelling::STEP,
    dependencies::STEP,
    code::CLIPPY,
    code::DOCS,
    code::BUILD,
    schemas::CHECK,
    code::TESTS,
];
