//! How a command ends: its exit code, and one message when it fails.

use super::Session;
use crate::bench::BenchError;
use adeval_sdk::PluginError;
use serde_json::json;
use std::process::ExitCode;

/// A command that came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// All of it.
    Done,
    /// Without some items, which were reported.
    SomeFailed,
    /// With a verdict against what was looked at, which was reported.
    Refuted,
}

impl Finish {
    /// `SomeFailed` when there was a failure.
    pub fn with_failures(any: bool) -> Self {
        if any { Self::SomeFailed } else { Self::Done }
    }

    /// Its exit code.
    pub fn code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::SomeFailed => ExitCode::from(3),
            Self::Refuted => ExitCode::FAILURE,
        }
    }
}

/// A command that could not come to its end.
#[derive(Debug)]
pub struct Stop {
    message: String,
    help: Option<String>,
    interrupted: bool,
}

impl Stop {
    /// One sentence that names the thing that is wrong.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, interrupted: false }
    }

    /// The same with the mend.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says first whom it is of.
    pub fn prefix(&mut self, user: &str) {
        self.message = format!("{user}: {}", self.message);
    }

    /// Stopped by Ctrl-C.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self { interrupted: true, ..Self::new(message) }
    }

    /// Writes the message to stderr (and, for programs, as JSON to stdout) and gives the exit code.
    pub fn report(&self, session: Session) -> ExitCode {
        use anstyle::AnsiColor::{Green, Red};
        let (red, green) = (Red.on_default().bold(), Green.on_default().bold());
        anstream::eprintln!("{red}error:{red:#} {}", self.message);
        if let Some(help) = &self.help {
            anstream::eprintln!("{green}help:{green:#} {help}");
        }
        if session.json {
            let error =
                json!({ "message": self.message, "help": self.help, "interrupted": self.interrupted });
            // The exit code tells the rest, should stdout be closed.
            let _ = super::output::print_json(&json!({ "error": error }));
        }
        if self.interrupted { ExitCode::from(130) } else { ExitCode::FAILURE }
    }
}

impl From<BenchError> for Stop {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Plugin { user, error } => {
                let mut stop = Self::from(error);
                stop.prefix(&user);
                stop
            }
            BenchError::Interrupted { .. } => Self::interrupted(error.to_string()),
            _ => Self::new(error.to_string()),
        }
    }
}

impl From<PluginError> for Stop {
    fn from(error: PluginError) -> Self {
        let stop = Self::new(format!("{}: {}", error.kind, error.message));
        match error.hint {
            Some(hint) => stop.help(hint),
            None => stop,
        }
    }
}
