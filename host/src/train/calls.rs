//! Components of a training: opened and called under the clock, and ended when the user wants it.

use super::TrainError;
use crate::bench::{Caller, Clock, OpenComponent, PlannedComponent, Services};
use adeval_sdk::{CallContext, ErrorKind, PluginError};
use std::path::Path;
use std::sync::atomic::Ordering;

/// What calls need.
#[derive(Clone, Copy)]
pub struct Calls<'a> {
    pub services: &'a Services<'a>,
    /// Time inside components.
    pub clock: &'a Clock,
    /// The training's directory.
    pub dir: &'a Path,
}

impl Calls<'_> {
    /// Ends the training when the user wants it.
    pub fn check_cancelled(&self) -> Result<(), TrainError> {
        if self.services.cancel.load(Ordering::Relaxed) {
            return Err(TrainError::Interrupted(self.dir.to_owned()));
        }
        Ok(())
    }

    /// Opens a component.
    pub fn open(&self, component: &PlannedComponent) -> Result<Box<dyn OpenComponent>, TrainError> {
        self.check_cancelled()?;
        let logs = self.dir.join("logs");
        let (opened, _) = self.clock.time(|| component.open(self.services, Some(&logs)));
        opened.map_err(|error| self.failed(component, error))
    }

    /// Calls a component.
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

    /// The error of a component, or of the user's wish to stop.
    pub fn failed(&self, component: &PlannedComponent, error: PluginError) -> TrainError {
        match self.check_cancelled() {
            Err(stopped) => stopped,
            Ok(()) => TrainError::Component { user: component.user.clone(), error },
        }
    }
}

/// Whether a component has the trainable half of its kind.
///
/// # Errors
/// [`TrainError::Component`] when it is not there.
pub fn is_trainable(component: &PlannedComponent, services: &Services<'_>) -> Result<bool, TrainError> {
    let usage = &component.usage;
    let identity = services.plugins.identify(component.kind, &usage.component, &usage.parameters);
    let failed = |error| TrainError::Component { user: component.user.clone(), error };
    Ok(identity.map_err(failed)?.trainable)
}

/// A loss that is no number ends a training, also where a component reports one without an error.
pub fn finite(loss: Option<f64>) -> Result<(), PluginError> {
    match loss {
        Some(loss) if !loss.is_finite() => {
            let message =
                format!("the loss is {loss}; lower the learning rate, or look at the data of these products");
            Err(PluginError::new(ErrorKind::Numerical, message))
        }
        _ => Ok(()),
    }
}
