//! The program, run from outside.

use crate::built;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A call of the program that is not made yet.
pub struct Program {
    command: Command,
    limit: Duration,
}

/// A call of the program at work; ended when dropped.
pub struct Running {
    child: Child,
    stdout: File,
    stderr: File,
    limit: Duration,
    what: String,
}

/// A call of the program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// What it was called with, so that a failed assertion shows it.
    pub what: String,
}

impl Program {
    /// The program in a folder, with an environment that holds nothing of the user's own plugins.
    pub fn new(folder: &Path, plugins: &OsStr) -> Self {
        Self::of(Command::new(built::program()), folder, plugins)
    }

    /// Another command, in the same environment, which is to start the program.
    pub fn of(mut command: Command, folder: &Path, plugins: &OsStr) -> Self {
        command
            .current_dir(folder)
            .env("HOME", folder.join("home"))
            .env("NO_COLOR", "1")
            .env("ADEVAL_PLUGIN_PATH", plugins)
            .env_remove("XDG_DATA_HOME")
            .env_remove("ADEVAL_WORKER_EXE")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null());
        Self { command, limit: Duration::from_secs(60) }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mut self) -> Running {
        let file = || tempfile::tempfile().expect("a temporary file can be made");
        let (stdout, stderr) = (file(), file());
        let copy = |file: &File| Stdio::from(file.try_clone().expect("a file can be shared"));
        self.command.stdout(copy(&stdout)).stderr(copy(&stderr));
        let what = format!("{:?}", self.command.get_args().collect::<Vec<_>>());
        let child = self.command.spawn().unwrap_or_else(|e| panic!("{what}: {e}"));
        Running { child, stdout, stderr, limit: self.limit, what }
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started, or takes longer than a minute.
    pub fn run(self) -> Ended {
        self.start().wait()
    }
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw).expect("a process has an id");
        kill_process(pid, signal).unwrap_or_else(|e| panic!("{}: no process to signal: {e}", self.what));
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Processes that it has started and that are alive.
    pub fn workers(&self) -> Vec<u32> {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|&id| parent_of_living(id) == Some(self.id())).collect()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When that takes longer than its limit.
    pub fn wait(mut self) -> Ended {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if started.elapsed() > self.limit {
                let _ = self.child.kill();
                let said = read_back(&mut self.stderr);
                panic!("{} did not end within {:?}; its stderr: {said}", self.what, self.limit);
            }
            sleep(Duration::from_millis(5));
        };
        Ended {
            code: status.code(),
            signal: status.signal(),
            stdout: read_back(&mut self.stdout),
            stderr: read_back(&mut self.stderr),
            what: self.what.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Asserts its exit code.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts that all went well.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn done(self) -> Self {
        self.with_code(0)
    }

    /// Its stdout as one JSON document.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("stdout is no JSON ({e}): {self:#?}"))
    }

    /// Asserts that it was refused with this exit code and one clear message, which holds these words.
    ///
    /// # Panics
    /// When it was not, or the message is long, unclear, or for programmers.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) -> Self {
        let ended = self.with_code(code);
        let told: Vec<&str> = ended
            .stderr
            .lines()
            .filter(|line| !line.starts_with("warning: ") && !is_progress(line))
            .collect();
        let errors = told.iter().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "there must be one message: {ended:#?}");
        assert!(told.len() <= 2, "a message is a line or two: {ended:#?}");
        ended.speaks_plainly();
        for word in words {
            assert!(told.iter().any(|line| line.contains(word)), "{word:?} is missing: {ended:#?}");
        }
        ended
    }

    /// The warnings, without the word that says so.
    pub fn warnings(&self) -> Vec<&str> {
        self.stderr.lines().filter_map(|line| line.strip_prefix("warning: ")).collect()
    }

    /// Asserts that stderr is for people: no backtrace, no dump of a value, no line of more than 600 characters.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn speaks_plainly(&self) {
        for dump in ["panicked at", "RUST_BACKTRACE", "stack backtrace", "Os {", "Some(", "Err(", " { kind:"]
        {
            assert!(!self.stderr.contains(dump), "{dump:?} is for programmers: {self:#?}");
        }
        assert!(self.stderr.lines().all(|line| line.chars().count() <= 600), "too long: {self:#?}");
    }
}

/// Whether a line says how far the program is: `judge eye: 24 in 0.1 s`.
fn is_progress(line: &str) -> bool {
    let count = line.rsplit_once(": ").and_then(|(_, rest)| rest.split_once(" in "));
    line.ends_with(" s") && count.is_some_and(|(count, _)| count.parse::<u64>().is_ok())
}

/// Waits until something is so.
///
/// # Panics
/// When it is not within 30 seconds.
#[track_caller]
pub fn wait_for(what: &str, mut so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        sleep(Duration::from_millis(2));
    }
}

/// Whether a process is there, and no zombie.
pub fn is_alive(id: u32) -> bool {
    parent_of_living(id).is_some()
}

/// The parent of a process, unless that is gone or a zombie.
fn parent_of_living(id: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold anything; state and parent follow it.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    fields.next()?.parse().ok().filter(|_| state != "Z" && state != "X")
}

fn read_back(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a temporary file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}
