//! Time, memory, threads and output: what a plugin takes from the process it lives in.

use super::super::exercise::{Case, Exercise, Reply, working_size};
use super::super::rule::{Finding, Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::rule;
use super::stopwatch::Stopwatch;
use adeval_sdk::{CallContext, CallHost, Determinism, Endpoint, PluginError};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub static RULES: [Rule; 5] = [
    rule!("stdout-silent", Basic, Scope::Any, "nothing is printed to stdout", silent),
    rule!("cancellation", Standard, Scope::Any, "a cancelled call ends within a second", cancellation),
    rule!("memory-growth", Standard, Scope::Any, "200 calls do not make the process grow", memory),
    rule!(
        "concurrent-instances",
        Standard,
        Scope::Any,
        "two instances at once do not disturb each other",
        concurrent
    ),
    rule!("time-stable", Standard, Scope::Any, "like requests take like times (a warning only)", time_stable),
];

fn exercise(subject: &Subject) -> Result<(Exercise, (u32, u32)), Finding> {
    let exercise = Exercise::new(subject.component()?.kind, subject.create()?)?;
    let size = working_size(&exercise, subject.seed())?;
    Ok((exercise, size))
}

/// Sends stdout into a file while the component lives, and looks at it.
fn silent(subject: &Subject) -> Verdict {
    let path = subject.scratch().join("stdout");
    let file = std::fs::File::create(&path).map_err(PluginError::from)?;
    let unchanged = |error: rustix::io::Errno| Finding::Skipped(format!("stdout cannot be watched: {error}"));
    rustix::stdio::dup2_stdout(&file).map_err(unchanged)?;
    let (exercise, size) = exercise(subject)?;
    for number in 0..3 {
        exercise.one(&Case::new(subject.seed(), number, size))?;
    }
    drop(exercise);
    let mut printed = String::new();
    let limit = 400;
    let mut reader = std::fs::File::open(&path).map_err(PluginError::from)?.take(limit);
    // Not everything that is printed is text.
    let _ = reader.read_to_string(&mut printed);
    let length = std::fs::metadata(&path).map_err(PluginError::from)?.len();
    ensure!(length == 0, "{length} bytes were printed to stdout: {:?}; use stderr", printed.trim());
    Ok("3 requests".into())
}

/// A host that wants the call to end from some moment on.
struct Impatient<'a>(&'a AtomicBool);

impl CallHost for Impatient<'_> {
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
    fn progress(&self, _: f32, _: &str) {}
}

fn cancellation(subject: &Subject) -> Verdict {
    const GRACE: Duration = Duration::from_secs(1);
    let watch = Arc::new(Stopwatch::new(subject.create()?));
    let exercise = Exercise::new(subject.component()?.kind, Arc::clone(&watch) as Arc<dyn Endpoint>)?;
    let size = working_size(&exercise, subject.seed())?;
    let one = Instant::now();
    exercise.one(&Case::new(subject.seed(), 0, size))?;
    // Enough work for some two seconds, and for a batch of one where a request alone takes longer.
    let count = (2.0 / one.elapsed().as_secs_f64().max(1e-4)).clamp(1.0, 2000.0) as usize;
    let cases: Vec<Case> = (0..count).map(|number| Case::new(subject.seed(), number, size)).collect();
    let mut late = Duration::MAX;
    // A busy machine may be late by itself, but hardly three times.
    for _ in 0..3 {
        late = late.min(lateness(&exercise, &watch, &cases)?);
        if late < GRACE {
            return Ok(format!("a batch of {count} ended {:.0} ms after", 1000.0 * late.as_secs_f64()));
        }
    }
    let seconds = late.as_secs_f64();
    let mend = "put `cx.check()?` into loops that take time";
    Err(Finding::Failed(format!("a batch of {count} went on for {seconds:.1} s, three times; {mend}")))
}

/// How long the component goes on after it was told to stop, a tenth of a second after it was entered.
fn lateness(exercise: &Exercise, watch: &Stopwatch, cases: &[Case]) -> Result<Duration, Finding> {
    watch.reset();
    let flag = AtomicBool::new(false);
    let host = Impatient(&flag);
    let ended = std::thread::scope(|scope| {
        // Whether it ends with an error or with what it has is its own affair.
        let call = scope.spawn(|| exercise.batch(cases, &CallContext::new(&host)).is_ok());
        while !watch.is_entered() && !call.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(100));
        watch.cancelled_now();
        flag.store(true, Ordering::Relaxed);
        call.join()
    });
    ended.map_err(|_| Finding::Failed("the call panicked".into()))?;
    Ok(watch.late())
}

/// Resident memory of this process in bytes.
fn resident() -> Result<u64, Finding> {
    let text = std::fs::read_to_string("/proc/self/statm")
        .map_err(|error| Finding::Skipped(format!("memory cannot be measured here: {error}")))?;
    let pages = text.split(' ').nth(1).and_then(|field| field.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| Finding::Skipped("memory cannot be measured here".into()))?;
    Ok(pages * rustix::param::page_size() as u64)
}

fn memory(subject: &Subject) -> Verdict {
    const CALLS: usize = 200;
    const WARM: usize = 40;
    let (exercise, size) = exercise(subject)?;
    let mut after_warming = 0;
    let mut calls = 0;
    while calls < CALLS && (subject.has_time(0.8) || calls < WARM + 10) {
        if calls == WARM {
            after_warming = resident()?;
        }
        // The same eight requests over and over: caches are full after warming, what still grows is lost.
        exercise.one(&Case::new(subject.seed(), calls % 8, size))?;
        calls += 1;
    }
    let growth = resident()?.saturating_sub(after_warming);
    let per_call = growth / (calls - WARM) as u64;
    let seen = format!("{} MiB more after calls {WARM} to {calls}", growth >> 20);
    // Allocators keep some; what grows by pages with every call has lost them.
    let leaks = growth > 8 << 20 && per_call > 16 << 10;
    ensure!(!leaks, "{seen}, {} KiB a call: something is kept that nobody needs", per_call >> 10);
    Ok(seen)
}

fn concurrent(subject: &Subject) -> Verdict {
    let (first, size) = exercise(subject)?;
    let (second, _) = exercise(subject)?;
    let determinism = subject.component()?.info.determinism;
    let cases: Vec<Case> = (0..6).map(|number| Case::new(subject.seed(), number, size)).collect();
    let ask = |exercise: &Exercise, order: &[usize]| -> Result<Vec<Reply>, PluginError> {
        order.iter().map(|&at| exercise.one(&cases[at])).collect()
    };
    let alone = ask(&first, &[0, 1, 2])?;
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| ask(&first, &[0, 1, 2]));
        let b = scope.spawn(|| ask(&second, &[3, 4, 5]));
        (a.join(), b.join())
    });
    let panicked = |_| Finding::Failed("a call panicked".into());
    let together = a.map_err(panicked)??;
    b.map_err(panicked)??;
    if determinism == Determinism::None {
        return Ok("both served; the component does not promise to repeat itself".into());
    }
    for (alone, together) in alone.iter().zip(&together) {
        alone.same(together, determinism).map_err(|difference| {
            Finding::Failed(format!("alone against beside another instance: {difference}"))
        })?;
    }
    Ok("3 requests each".into())
}

fn time_stable(subject: &Subject) -> Verdict {
    let (exercise, size) = exercise(subject)?;
    let case = Case::new(subject.seed(), 0, size);
    exercise.one(&case)?;
    let mut times = Vec::new();
    while times.len() < 20 && (subject.has_time(0.5) || times.len() < 5) {
        let started = Instant::now();
        exercise.one(&case)?;
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    let seen = format!("median {:.2} ms, slowest {:.2} ms of {}", 1e3 * median, 1e3 * slowest, times.len());
    // Below a millisecond it is the machine that is measured.
    if slowest > 5.0 * median && slowest > 1e-3 { Err(Finding::Warning(seen)) } else { Ok(seen) }
}
