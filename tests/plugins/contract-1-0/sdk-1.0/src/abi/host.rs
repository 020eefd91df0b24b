//! The host's side of a call in progress, as it crosses to the plugin.

use super::message::{from_stable, guarded, open, to_stable};
use crate::{CallContext, CallHost, Message, Result};
use abi_stable::std_types::{RResult, RStr};
use adeval_frontier::{BorrowedHost, HostSide, StableError, StableMessage};

/// What the host lends to the plugin.
pub(super) struct Lent<'a, 'b>(pub &'a CallContext<'b>);

impl HostSide for Lent<'_, '_> {
    fn cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
    fn progress(&self, fraction: f32, note: RStr<'_>) {
        self.0.progress(fraction, note.as_str());
    }
    fn ask(&self, question: RStr<'_>, message: StableMessage) -> RResult<StableMessage, StableError> {
        guarded(question.as_str(), || self.0.ask(question.as_str(), from_stable(message)).map(to_stable))
    }
}

/// What the plugin was lent.
pub(super) struct Borrowed<'a>(pub BorrowedHost<'a>);

impl CallHost for Borrowed<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
    fn progress(&self, fraction: f32, note: &str) {
        self.0.progress(fraction, note.into());
    }
    fn ask(&self, question: &str, message: Message) -> Result<Message> {
        open(self.0.ask(question.into(), to_stable(message))).map(from_stable)
    }
}
