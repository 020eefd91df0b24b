//! A component in a worker that may die: it is made anew at the next call, unless it had learnt something.

use super::usage::{Meter, Usage};
use super::worker::{Worker, WorkerOptions};
use adeval_sdk::{CallContext, Endpoint, Environment, ErrorKind, Message, PluginError, Result};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A component in a worker process of its own. Calls from several threads wait for each other.
pub struct WorkerEndpoint {
    options: WorkerOptions,
    component: String,
    parameters: serde_json::Value,
    environment: Environment,
    max_restarts: u32,
    state: Mutex<State>,
    meter: Mutex<Meter>,
}

#[derive(Default)]
struct State {
    living: Option<(Worker, u64)>,
    /// Whether a training call was made: a new process would not know what the old one had learnt.
    stateful: bool,
    /// Processes lost in a row, without an answer in between.
    losses: u32,
    /// Why no process is started any more.
    broken: Option<PluginError>,
}

impl WorkerEndpoint {
    /// Starts a worker and makes the component in it; `cx` hears how far that is.
    ///
    /// After `max_restarts` lost processes in a row, without one answer in between, no more is started.
    ///
    /// # Errors
    /// See [`Worker::spawn`] and [`Worker::create`].
    pub fn open(
        options: WorkerOptions,
        component: &str,
        parameters: &serde_json::Value,
        environment: &Environment,
        max_restarts: u32,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        let endpoint = Self {
            options,
            component: component.to_owned(),
            parameters: parameters.clone(),
            environment: environment.clone(),
            max_restarts,
            state: Mutex::default(),
            meter: Mutex::default(),
        };
        let living = endpoint.revive(cx)?;
        endpoint.state().living = Some(living);
        Ok(endpoint)
    }

    /// What the component has used so far, over all its processes.
    pub fn usage(&self) -> Usage {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).usage()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn revive(&self, cx: &CallContext<'_>) -> Result<(Worker, u64)> {
        let mut worker = Worker::spawn(&self.options)?;
        let instance = worker.create(&self.component, &self.parameters, &self.environment, cx)?;
        Ok((worker, instance))
    }

    /// Remembers a lost process, and decides whether there will be another.
    fn lose(&self, state: &mut State, error: &PluginError) {
        state.living = None;
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).next_process();
        if error.kind != ErrorKind::Cancelled {
            state.losses += 1;
        }
        if state.stateful {
            state.broken = Some(forgotten(error));
        } else if state.losses > self.max_restarts {
            state.broken = Some(given_up(state.losses, error));
        }
    }
}

impl Endpoint for WorkerEndpoint {
    fn call(&self, method: &str, message: Message, cx: &CallContext<'_>) -> Result<Message> {
        let mut state = self.state();
        if let Some(broken) = &state.broken {
            return Err(broken.clone());
        }
        if state.living.is_none() {
            let revived = self.revive(cx);
            if let Err(error) = &revived {
                self.lose(&mut state, error);
            }
            state.living = Some(revived?);
        }
        state.stateful |= trains(method);
        let Some((worker, instance)) = &mut state.living else {
            return Err(PluginError::new(
                ErrorKind::Crashed,
                format!("{}: it has no process", self.options.label),
            ));
        };
        let started = Instant::now();
        let result = worker.call(*instance, method, message, cx);
        self.meter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .call(started.elapsed(), Some(worker.after()));
        match (&result, worker.is_lost()) {
            (Err(error), true) => self.lose(&mut state, error),
            _ => state.losses = 0,
        }
        result
    }
}

/// Whether a method changes what later calls answer.
fn trains(method: &str) -> bool {
    let changes =
        ["accumulate_gradient", "accumulate_instructions", "step", "clear_gradient", "load", "set_reference"];
    method.rsplit('.').next().is_some_and(|name| changes.contains(&name))
}

fn forgotten(error: &PluginError) -> PluginError {
    let message =
        format!("the component lost its process, and with it what it had learnt ({})", error.message);
    PluginError::new(ErrorKind::Crashed, message).with_hint("open it anew and load its last save")
}

fn given_up(losses: u32, error: &PluginError) -> PluginError {
    let message =
        format!("its process was lost {losses} times in a row and is not started again ({})", error.message);
    let given_up = PluginError::new(error.kind, message);
    match &error.hint {
        Some(hint) => given_up.with_hint(hint.clone()),
        None => given_up,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_sdk::endpoint::method;

    #[test]
    fn methods_that_change_the_component_are_known() {
        for changes in [
            method::TRAIN_ACCUMULATE,
            method::TRAIN_STEP,
            method::TRAIN_CLEAR,
            method::PROMPT_SET_REFERENCE,
            method::TRAIN_LOAD,
            method::PROMPT_ACCUMULATE_INSTRUCTIONS,
        ] {
            assert!(trains(changes), "{changes}");
        }
        for keeps in [
            method::PROMPT_GENERATE,
            method::TRAIN_SAVE,
            method::PROMPT_LOG_PROBS,
            method::PROMPT_INSTRUCTION_LOSSES,
            method::OPTIMIZER_LOSS,
        ] {
            assert!(!trains(keeps), "{keeps}");
        }
    }
}
