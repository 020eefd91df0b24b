//! What a plugin may ask of its host during a call: whether to stop, and to show how far it is.

use crate::{ErrorKind, Message, PluginError, Result};

/// The host's side of a call in progress. A component may use it from several threads.
pub trait CallHost: Sync {
    /// Whether the host wants the call to end early.
    fn cancelled(&self) -> bool;
    /// Shows progress: `fraction` from 0 to 1, and a few words.
    fn progress(&self, fraction: f32, note: &str);
    /// Answers what a plugin may ask by name.
    ///
    /// # Errors
    /// `Unsupported` for a question that this host does not know: in contract 1.0, every one.
    fn ask(&self, question: &str, message: Message) -> Result<Message> {
        let _ = message;
        Err(PluginError::unsupported(format!("this host has no answer to \"{question}\"")))
    }
}

/// A call in progress, as the plugin sees it.
#[derive(Clone, Copy)]
pub struct CallContext<'a> {
    host: &'a dyn CallHost,
}

struct Detached;

impl CallHost for Detached {
    fn cancelled(&self) -> bool {
        false
    }
    fn progress(&self, _: f32, _: &str) {}
}

impl<'a> CallContext<'a> {
    /// A context over a host.
    pub fn new(host: &'a dyn CallHost) -> Self {
        Self { host }
    }

    /// A context that is never cancelled and shows nothing; for tests.
    pub fn detached() -> CallContext<'static> {
        CallContext { host: &Detached }
    }

    /// Whether the host wants the call to end early.
    pub fn is_cancelled(&self) -> bool {
        self.host.cancelled()
    }

    /// Ends the call early if the host wants it: put `cx.check()?` into every loop that takes time.
    ///
    /// # Errors
    /// `Cancelled`.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(PluginError::new(ErrorKind::Cancelled, "the host asked for the call to stop"));
        }
        Ok(())
    }

    /// Shows progress: `fraction` from 0 to 1, and a few words.
    pub fn progress(&self, fraction: f32, note: &str) {
        self.host.progress(fraction.clamp(0.0, 1.0), note);
    }

    /// Asks the host for something by name. Contract 1.0 defines no question; the way is there because the frontier
    /// cannot be widened for plugins that are already built.
    ///
    /// # Errors
    /// `Unsupported` for a question that this host does not know, and what it answers.
    pub fn ask(&self, question: &str, message: Message) -> Result<Message> {
        self.host.ask(question, message)
    }
}
