//! The components of a training: opened when they are first needed, closed when only one may be in memory.

use super::Work;
use crate::bench::{Caller, OpenComponent, PlannedComponent};
use crate::train::TrainError;
use adeval_sdk::client::PromptClient;
use adeval_sdk::{CallContext, Endpoint};
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
            None => self.start(work)?,
        };
        let endpoint = open.endpoint();
        self.open = Some(open);
        Ok(endpoint)
    }

    fn start(&self, work: &Work<'_>) -> Result<Box<dyn OpenComponent>, TrainError> {
        work.check_cancelled()?;
        let logs = work.store.dir().join("logs");
        let (opened, _) = work.clock.time(|| self.planned.open(work.services, Some(&logs)));
        opened.map_err(|error| work.failed(self.planned, error))
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

    /// The error of a component, or of the user's wish to stop.
    pub fn failed(&self, component: &PlannedComponent, error: adeval_sdk::PluginError) -> TrainError {
        match self.check_cancelled() {
            Err(stopped) => stopped,
            Ok(()) => TrainError::Component { user: component.user.clone(), error },
        }
    }

    /// Calls a component under the clock.
    pub fn call<R>(
        &self,
        component: &PlannedComponent,
        call: impl FnOnce(&CallContext<'_>) -> adeval_sdk::Result<R>,
    ) -> Result<R, TrainError> {
        self.check_cancelled()?;
        let caller = Caller(self.services);
        let (reply, _) = self.clock.time(|| call(&CallContext::new(&caller)));
        reply.map_err(|error| self.failed(component, error))
    }
}
