//! The one error type that crosses the frontier between a plugin and its host.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What went wrong, as a class that programs can act on.
///
/// New classes may be added in a minor version of the contract; a reader that does not know one sees
/// [`ErrorKind::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request cannot be served as it is (an empty prompt, a product without a visible pixel).
    InvalidRequest,
    /// A parameter is unknown, of the wrong type or out of its range.
    InvalidParameters,
    /// A weight file is not where it should be.
    MissingWeights,
    /// A weight file is there, but truncated, of another model, or of another shape.
    BadWeights,
    /// The device has no memory left for this call.
    OutOfMemory,
    /// The device that was asked for does not exist here.
    DeviceUnavailable,
    /// The component does not implement this call.
    Unsupported,
    /// The host asked for the call to stop.
    Cancelled,
    /// A computation gave NaN or infinity.
    Numerical,
    /// The plugin panicked; the shim caught it.
    Panicked,
    /// The plugin's process died (abort, signal, exit, out of memory).
    Crashed,
    /// The call took longer than it was given, and its process was killed.
    TimedOut,
    /// The plugin broke the contract: wrong count, wrong size, a value outside its range, bad encoding.
    ContractViolation,
    /// The library is not a plugin, or was built for another contract.
    Incompatible,
    /// Reading or writing a file failed.
    Io,
    /// Anything else.
    #[serde(other)]
    Other,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidRequest => "invalid request",
            Self::InvalidParameters => "invalid parameters",
            Self::MissingWeights => "missing weights",
            Self::BadWeights => "bad weights",
            Self::OutOfMemory => "out of memory",
            Self::DeviceUnavailable => "device unavailable",
            Self::Unsupported => "unsupported",
            Self::Cancelled => "cancelled",
            Self::Numerical => "numerical failure",
            Self::Panicked => "plugin panicked",
            Self::Crashed => "plugin crashed",
            Self::TimedOut => "timed out",
            Self::ContractViolation => "contract violation",
            Self::Incompatible => "incompatible library",
            Self::Io => "i/o failure",
            Self::Other => "failure",
        })
    }
}

/// An error with its class, a message that names the thing, and, where there is one, the mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PluginError {
    /// The class of the error.
    pub kind: ErrorKind,
    /// One sentence that names the thing that is wrong.
    pub message: String,
    /// What the reader can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The result of every call of the contract.
pub type Result<T, E = PluginError> = std::result::Result<T, E>;

impl PluginError {
    /// An error of class `kind`; `message` should name the thing that is wrong.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The same error with a mend.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A request that cannot be served.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    /// A parameter that is not acceptable.
    pub fn invalid_parameters(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidParameters, message)
    }

    /// A call that this component does not implement.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// A reply or a request that breaks the contract.
    pub fn violation(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ContractViolation, message)
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PluginError {}

impl From<std::io::Error> for PluginError {
    fn from(error: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, error.to_string())
    }
}
