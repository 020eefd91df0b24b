//! Which rules are tried on which components, several at a time.

use super::config::{CheckOptions, Severity};
use super::process;
use super::report::{Attempt, CheckReport, Checked, Status};
use super::rule::{Rule, Scope};
use super::rules;
use super::subject::Task;
use crate::plugin::{Discovery, DiscoveryOptions};
use adeval_sdk::{Environment, Manifest, PluginError, Result, rng};
use serde_json::Value;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// Checks a library; `done` hears of each attempt as it ends, and a set `cancel` ends the check after those at work.
///
/// # Errors
/// When the library's path is wrong, or a place for the check's files cannot be had. A file that is no plugin is no
/// error: its report says so.
pub fn check(
    options: &CheckOptions,
    cancel: &AtomicBool,
    started: &dyn Fn(usize),
    done: &(dyn Fn(&Attempt) + Sync),
) -> Result<CheckReport> {
    let clock = Instant::now();
    let library = options.library.canonicalize().map_err(|error| {
        PluginError::invalid_request(format!("{}: {error}", options.library.display()))
            .with_hint("give the path of a plugin's library, e.g. target/release/libmy_plugin.so")
    })?;
    let scratch = tempfile::Builder::new().prefix("adeval-check-").tempdir()?;
    let manifest = ask(&library);
    let tasks = plan(options, &library, manifest.as_ref(), scratch.path());
    started(tasks.len());
    let attempts = attempt_all(&tasks, options, cancel, done);
    let components = manifest.iter().flat_map(|m| &m.components);
    Ok(CheckReport {
        adeval_version: env!("CARGO_PKG_VERSION").into(),
        name: manifest.as_ref().map(|m| format!("{} {}, contract {}", m.library, m.version, m.contract)),
        library,
        level: options.level,
        seed: options.seed,
        components: components
            .map(|c| Checked { id: c.info.id.clone(), kind: c.kind, trainable: c.trainable })
            .collect(),
        attempts,
        seconds: clock.elapsed().as_secs_f64(),
    })
}

/// What the library says of itself, asked in a worker; none when it does not answer.
fn ask(library: &Path) -> Option<Manifest> {
    let options = DiscoveryOptions {
        directories: vec![library.to_owned()],
        standard_places: false,
        ..DiscoveryOptions::default()
    };
    let catalogue = Discovery::new(options).scan();
    catalogue.entries().first().map(|entry| (*entry.manifest).clone())
}

fn plan(options: &CheckOptions, library: &Path, manifest: Option<&Manifest>, scratch: &Path) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut add = |rule: &Rule, component: Option<&str>| {
        let place = format!("{}-{}", rule.id, component.unwrap_or("library"));
        tasks.push(task(options, library, rule, component, scratch.join(place)));
    };
    let chosen = |rule: &&&Rule| is_chosen(options, rule);
    let rules: Vec<&Rule> = rules::all().iter().filter(|rule| chosen(&rule)).collect();
    rules.iter().filter(|rule| rule.scope == Scope::Library).for_each(|rule| add(rule, None));
    for component in manifest.iter().flat_map(|m| &m.components) {
        let id = component.info.id.as_str();
        if !options.components.is_empty() && !options.components.iter().any(|wanted| wanted == id) {
            continue;
        }
        let covers = |rule: &&&Rule| rule.scope.covers(component.kind, component.trainable);
        rules.iter().filter(covers).for_each(|rule| add(rule, Some(id)));
    }
    tasks
}

fn is_chosen(options: &CheckOptions, rule: &Rule) -> bool {
    let among = |parts: &[String]| parts.iter().any(|part| rule.id.contains(part.as_str()));
    rule.level <= options.level
        && (options.only.is_empty() || among(&options.only))
        && !among(&options.skip)
        && options.config.rules.get(rule.id) != Some(&Severity::Off)
}

fn task(
    options: &CheckOptions,
    library: &Path,
    rule: &Rule,
    component: Option<&str>,
    scratch: std::path::PathBuf,
) -> Task {
    let own = component.and_then(|id| options.config.components.get(id)).cloned().unwrap_or_default();
    let default = Environment::default();
    Task {
        rule: rule.id.into(),
        library: library.to_owned(),
        component: component.map(str::to_owned),
        parameters: Value::Object(own.parameters),
        environment: Environment { device: own.device.unwrap_or(default.device), weights: own.weights },
        seed: options
            .reproduce
            .unwrap_or_else(|| rng::derive(options.seed, &[rule.id, component.unwrap_or_default()])),
        timeout: options.timeout,
        memory_limit: options.memory_limit,
        scratch,
        aside: None,
    }
}

fn attempt_all(
    tasks: &[Task],
    options: &CheckOptions,
    cancel: &AtomicBool,
    done: &(dyn Fn(&Attempt) + Sync),
) -> Vec<Attempt> {
    let next = AtomicUsize::new(0);
    let attempts = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while !cancel.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = tasks.get(at) else { return };
                    let mut attempt = process::in_process_of_its_own(task);
                    if attempt.status.is_bad()
                        && options.config.rules.get(&task.rule) == Some(&Severity::Warn)
                    {
                        attempt.status = Status::Warning;
                    }
                    done(&attempt);
                    attempts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, attempt));
                }
            });
        }
    });
    let mut attempts = attempts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    attempts.sort_by_key(|(at, _)| *at);
    attempts.into_iter().map(|(_, attempt)| attempt).collect()
}
