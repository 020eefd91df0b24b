//! The components of a training: opened when they are first needed, closed when only one may be in memory.

use super::Work;
use crate::bench::{OpenComponent, PlannedComponent};
use crate::train::TrainError;
use adeval_sdk::Endpoint;
use adeval_sdk::client::PromptClient;
use std::sync::Arc;

/// All of them.
pub struct Cast<'a> {
    pub prompt: Slot<'a>,
    pub background: Slot<'a>,
    pub judge: Slot<'a>,
    pub optimizer: Slot<'a>,
    /// The adapter that a prompt generator is given when it is opened; none before the first is saved.
    pub adapter: Option<String>,
}

/// A component that may be open.
pub struct Slot<'a> {
    pub planned: &'a PlannedComponent,
    open: Option<Box<dyn OpenComponent>>,
}

impl<'a> Slot<'a> {
    pub const fn new(planned: &'a PlannedComponent) -> Self {
        Self { planned, open: None }
    }

    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Opens it when it is not open.
    pub fn endpoint(&mut self, work: &Work<'_>) -> Result<Arc<dyn Endpoint>, TrainError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => work.calls().open(self.planned)?,
        };
        let endpoint = open.endpoint();
        self.open = Some(open);
        Ok(endpoint)
    }

    /// Closes it, when the recipe wants one in memory only.
    pub fn rest(&mut self, work: &Work<'_>) {
        if work.plan.recipe.training.one_in_memory {
            self.open = None;
        }
    }
}

impl Work<'_> {
    /// The prompt generator with the policy in it.
    pub fn policy(&self, cast: &mut Cast<'_>) -> Result<Arc<dyn Endpoint>, TrainError> {
        let was_open = cast.prompt.is_open();
        let endpoint = cast.prompt.endpoint(self)?;
        if let Some(adapter) = cast.adapter.as_ref().filter(|_| !was_open) {
            let training = PromptClient::new(Arc::clone(&endpoint)).training();
            let directory = self.adapters().join(adapter);
            self.call(&self.plan.prompt, |cx| training.load(&directory, cx))?;
        }
        Ok(endpoint)
    }
}
