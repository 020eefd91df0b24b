//! A rule in a process of its own: the parent starts it, waits, and says how it ended.

use super::report::{Attempt, Status};
use super::rule::{Finding, Verdict};
use super::rules;
use super::subject::{Subject, Task};
use crate::plugin::{kill_group, obituary, this_program};
use rustix::process::{Pid, Resource, Rlimit, WaitId, WaitIdOptions, setrlimit, waitid};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often the parent looks.
const TICK: Duration = Duration::from_millis(5);
/// How much of a process's stderr a report keeps, in bytes.
const STDERR_KEPT: usize = 4096;

/// What the child leaves behind.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Outcome {
    Finding(Finding),
    Passed { passed: String },
}

/// Files of a task inside its scratch directory.
struct Files {
    task: PathBuf,
    outcome: PathBuf,
    stderr: PathBuf,
}

impl Files {
    fn of(scratch: &Path) -> Self {
        let [task, outcome, stderr] = ["task.json", "outcome.json", "stderr"].map(|name| scratch.join(name));
        Self { task, outcome, stderr }
    }
}

/// Tries one rule in a new process of this program.
pub fn in_process_of_its_own(task: &Task) -> Attempt {
    let started = Instant::now();
    let files = Files::of(&task.scratch);
    let mut attempt = Attempt::new(task);
    match run(task, &files) {
        Ok(End::Exited(status)) => attempt.end(outcome(&files, &status)),
        Ok(End::Killed) => {
            let limit = task.timeout.as_secs_f64();
            attempt.end((Status::TimedOut, format!("it took longer than {limit:.0} s and was killed")));
        }
        Err(error) => attempt.end((Status::Skipped, format!("its process could not be started: {error}"))),
    }
    attempt.stderr = last_words(&files.stderr);
    attempt.seconds = started.elapsed().as_secs_f64();
    attempt
}

enum End {
    Exited(ExitStatus),
    Killed,
}

fn run(task: &Task, files: &Files) -> io::Result<End> {
    std::fs::create_dir_all(&task.scratch)?;
    std::fs::write(&files.task, serde_json::to_vec(task)?)?;
    let stderr = File::create(&files.stderr)?;
    let mut command = Command::new(this_program()?);
    if let Some(aside) = &task.aside {
        // What rayon (candle's pool, too) and OpenMP read before they start their threads.
        for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS"] {
            command.env(variable, aside.threads.to_string());
        }
    }
    let mut child = command
        .arg0("adeval")
        .arg("__check")
        .arg(&files.task)
        .stdin(Stdio::null())
        // What a plugin prints is no part of the report; the rule on stdout looks at it inside the process.
        .stdout(stderr.try_clone()?)
        .stderr(stderr)
        .process_group(0)
        .spawn()?;
    let ended = wait(&child, task.timeout);
    // What it has started must not outlive its rule, however that ended.
    kill_group(&child);
    let status = child.wait()?;
    Ok(if ended? { End::Exited(status) } else { End::Killed })
}

/// Waits until the process has ended, without reaping it; `false` when the time is over first.
fn wait(child: &Child, timeout: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + timeout;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("a process without a number"))?;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while waitid(WaitId::Pid(pid), options)?.is_none() {
        if Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(TICK);
    }
    Ok(true)
}

fn outcome(files: &Files, status: &ExitStatus) -> (Status, String) {
    let left = std::fs::read(&files.outcome).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match left {
        // A plugin that ends the process after its rule has passed has not passed.
        Some(_) if !status.success() => {
            (Status::Crashed, format!("its process {} after the rule was tried", obituary(status)))
        }
        Some(Outcome::Passed { passed }) => (Status::Passed, passed),
        Some(Outcome::Finding(Finding::Failed(message))) => (Status::Failed, message),
        Some(Outcome::Finding(Finding::Warning(message))) => (Status::Warning, message),
        Some(Outcome::Finding(Finding::Skipped(message))) => (Status::Skipped, message),
        None => (Status::Crashed, format!("its process {} before the rule was through", obituary(status))),
    }
}

fn last_words(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let kept = &bytes[bytes.len().saturating_sub(STDERR_KEPT)..];
    String::from_utf8_lossy(kept).trim().to_owned()
}

/// The other side: reads the task, tries its rule here, and leaves the outcome in a file.
pub fn attempt(task_file: &Path) -> ExitCode {
    match read_task(task_file) {
        Ok(task) => {
            let outcome_file = Files::of(&task.scratch).outcome;
            let outcome = match limited(&task).and_then(|()| try_rule(task)) {
                Ok(passed) => Outcome::Passed { passed },
                Err(finding) => Outcome::Finding(finding),
            };
            let written = serde_json::to_vec(&outcome).map_err(io::Error::from);
            match written.and_then(|bytes| std::fs::write(outcome_file, bytes)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => refuse(&error.to_string()),
            }
        }
        Err(error) => refuse(&error.to_string()),
    }
}

fn refuse(reason: &str) -> ExitCode {
    anstream::eprintln!("the check's process cannot work: {reason}");
    ExitCode::FAILURE
}

fn read_task(file: &Path) -> io::Result<Task> {
    Ok(serde_json::from_slice(&std::fs::read(file)?)?)
}

/// A plugin that allocates without end must not take the machine with it.
fn limited(task: &Task) -> Result<(), Finding> {
    let Some(limit) = task.memory_limit else { return Ok(()) };
    setrlimit(Resource::As, Rlimit { current: Some(limit), maximum: Some(limit) })
        .map_err(|error| Finding::Skipped(format!("the memory cannot be limited: {error}")))
}

fn try_rule(task: Task) -> Verdict {
    let rule = rules::find(&task.rule)
        .ok_or_else(|| Finding::Skipped(format!("there is no rule \"{}\"", task.rule)))?;
    let subject = Subject::load(task)?;
    (rule.attempt)(&subject)
}
