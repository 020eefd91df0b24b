//! How far a command is: a bar with the time to go on a terminal, a line per step elsewhere.

use super::output;
use crate::bench::Progress;
use adeval_checkpoints::plan::size;
use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines of one step where nothing can be redrawn.
const QUIET_TIME: Duration = Duration::from_secs(20);

/// Reports to stderr.
pub struct Report {
    show: Show,
    step: Mutex<Option<Step>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Show {
    Nothing,
    Lines,
    Bars,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Items,
    Bytes,
}

impl Unit {
    fn text(self, amount: u64) -> String {
        match self {
            Self::Items => amount.to_string(),
            Self::Bytes => size(amount),
        }
    }
}

struct Step {
    name: String,
    unit: Unit,
    total: u64,
    done: u64,
    started: Instant,
    spoken: Instant,
    bar: Option<ProgressBar>,
}

impl Report {
    /// Bars on a terminal, lines elsewhere, nothing when quiet.
    pub fn new(quiet: bool) -> Self {
        let show = match quiet {
            true => Show::Nothing,
            false if Term::stderr().is_term() => Show::Bars,
            false => Show::Lines,
        };
        Self { show, step: Mutex::new(None) }
    }

    /// Ends the step at work.
    pub fn finish(&self) {
        if let Some(step) = self.step().take() {
            step.end(self.show);
        }
    }

    /// A step begins, with so many bytes to read.
    pub fn stage_bytes(&self, name: &str, total: u64) {
        self.begin(name, total, Unit::Bytes);
    }

    /// So many bytes of the step are read.
    pub fn advance_bytes(&self, done: u64) {
        self.count(done);
    }

    fn begin(&self, name: &str, total: u64, unit: Unit) {
        self.finish();
        let bar = (self.show == Show::Bars).then(|| bar(name, total, unit));
        let now = Instant::now();
        *self.step() = Some(Step { name: name.into(), unit, total, done: 0, started: now, spoken: now, bar });
    }

    fn count(&self, done: u64) {
        let mut step = self.step();
        let Some(step) = step.as_mut() else { return };
        step.done += done;
        match &step.bar {
            Some(bar) => bar.inc(done),
            None if self.show == Show::Lines && step.spoken.elapsed() > QUIET_TIME => {
                step.spoken = Instant::now();
                let (done, total) = (step.unit.text(step.done), step.unit.text(step.total));
                anstream::eprintln!("{}: {done} of {total}{}", step.name, step.remaining());
            }
            None => {}
        }
    }

    /// What a component says of a call: behind the bar, or in a line where nothing can be redrawn and it takes long.
    fn tell(&self, note: &str) {
        let mut step = self.step();
        let Some(step) = step.as_mut() else { return };
        match &step.bar {
            Some(bar) => bar.set_message(format!("{note}, ")),
            None if self.show == Show::Lines && step.spoken.elapsed() > QUIET_TIME => {
                step.spoken = Instant::now();
                let (done, total) = (step.unit.text(step.done), step.unit.text(step.total));
                anstream::eprintln!("{}: {done} of {total}; {note}", step.name);
            }
            None => {}
        }
    }

    fn step(&self) -> std::sync::MutexGuard<'_, Option<Step>> {
        self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Report {
    fn stage(&self, name: &str, total: usize) {
        self.begin(name, total as u64, Unit::Items);
    }

    fn advance(&self, done: usize) {
        self.count(done as u64);
    }

    fn note(&self, _: f32, note: &str) {
        self.tell(note);
    }

    fn loading(&self, note: &str) {
        match (self.show, self.step().as_ref().and_then(|step| step.bar.as_ref())) {
            (Show::Nothing, _) => {}
            (_, Some(bar)) => bar.suspend(|| anstream::eprintln!("{note}")),
            (_, None) => anstream::eprintln!("{note}"),
        }
    }

    fn say(&self, line: &str) {
        match (self.show, self.step().as_ref().and_then(|step| step.bar.as_ref())) {
            (Show::Nothing, _) => {}
            (_, Some(bar)) => bar.suspend(|| anstream::eprintln!("{line}")),
            (_, None) => anstream::eprintln!("{line}"),
        }
    }

    fn warn(&self, message: &str) {
        match self.step().as_ref().and_then(|step| step.bar.as_ref()) {
            Some(bar) => bar.suspend(|| output::warn(message)),
            None => output::warn(message),
        }
    }
}

impl Step {
    fn remaining(&self) -> String {
        if self.done == 0 {
            return String::new();
        }
        let left = self.total.saturating_sub(self.done) as f64;
        let seconds = self.started.elapsed().as_secs_f64() * left / self.done as f64;
        format!(", about {seconds:.0} s to go")
    }

    fn end(self, show: Show) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        if show != Show::Nothing {
            let (name, done) = (&self.name, self.unit.text(self.done));
            anstream::eprintln!("{name}: {done} in {:.1} s", self.started.elapsed().as_secs_f64());
        }
    }
}

fn bar(name: &str, total: u64, unit: Unit) -> ProgressBar {
    let template = match unit {
        Unit::Items => "{prefix} {wide_bar} {pos}/{len} {msg}{per_sec} {eta} to go",
        Unit::Bytes => {
            "{prefix} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} to go"
        }
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total).with_style(style).with_prefix(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
