//! The host's side of one worker process: start it, talk to it, bury it.

use super::obituary::obituary;
use super::process::{kill_group, this_program};
use super::protocol::{self, After, Frame, FrameReader, MAX_FRAME, PROTOCOL, ReadError};
use super::shared_memory::{Pool, copy_out};
use super::worker_log::WorkerLog;
use adeval_sdk::{CallContext, Environment, ErrorKind, Manifest, Message, PluginError, Result};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Names another program than the running one to be started as worker.
pub const WORKER_EXE: &str = "ADEVAL_WORKER_EXE";

/// How often the host looks at cancellation and deadlines while it waits.
const TICK: Duration = Duration::from_millis(20);

/// How long a cancelled call may take to answer before its worker is killed.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// How long a process whose socket is closed may take to exit.
const EXIT_GRACE: Duration = Duration::from_secs(1);

/// How a worker is started.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// The plugin's library, an absolute path.
    pub library: PathBuf,
    /// What messages call the plugin.
    pub label: String,
    /// Where its output is appended; an unnamed temporary file without one.
    pub log: Option<PathBuf>,
    /// The most time for one call.
    pub call_timeout: Duration,
    /// The most time to start the process and load the library, and to create a component.
    pub start_timeout: Duration,
    /// Set from elsewhere, it ends a process that is still starting; calls are ended through their own context.
    pub stop: Option<&'static AtomicBool>,
    /// The program to start with the argument `__worker`; else [`WORKER_EXE`], else this program.
    pub executable: Option<PathBuf>,
}

impl WorkerOptions {
    /// Ten minutes a call, two to start.
    pub fn new(library: impl Into<PathBuf>, label: impl Into<String>) -> Self {
        Self {
            library: library.into(),
            label: label.into(),
            log: None,
            call_timeout: Duration::from_secs(600),
            start_timeout: Duration::from_secs(120),
            stop: None,
            executable: None,
        }
    }

    fn program(&self) -> io::Result<PathBuf> {
        if let Some(named) =
            self.executable.clone().or_else(|| std::env::var_os(WORKER_EXE).map(PathBuf::from))
        {
            return Ok(named);
        }
        this_program()
    }
}

/// What is waited for.
#[derive(Clone, Copy)]
struct Waiting<'a> {
    limit: Duration,
    what: &'a str,
    cx: Option<&'a CallContext<'a>>,
    /// Whether a wish to stop ends the process at once: it has nothing to lose yet.
    starting: bool,
}

impl<'a> Waiting<'a> {
    fn starting(limit: Duration, what: &'a str) -> Self {
        Self { limit, what, cx: None, starting: true }
    }
}

/// One worker process with its library loaded.
pub struct Worker {
    label: String,
    child: Child,
    stream: UnixStream,
    reader: FrameReader,
    pool: Pool,
    log: WorkerLog,
    manifest: Manifest,
    last_id: u64,
    call_timeout: Duration,
    start_timeout: Duration,
    stop: Option<&'static AtomicBool>,
    after: After,
    lost: bool,
}

impl Worker {
    /// Starts a process and loads the library in it.
    ///
    /// # Errors
    /// `Io` when no process can be started, `TimedOut`, `Crashed`, `Incompatible`, and what the loader says.
    pub fn spawn(options: &WorkerOptions) -> Result<Self> {
        let cannot = |e: &io::Error| {
            PluginError::new(
                ErrorKind::Io,
                format!("{}: no worker process can be started: {e}", options.label),
            )
        };
        let log = WorkerLog::open(options.log.as_deref()).map_err(|e| cannot(&e))?;
        let (child, stream) = start(options, &log).map_err(|e| cannot(&e))?;
        let mut worker = Self {
            label: options.label.clone(),
            child,
            stream,
            reader: FrameReader::default(),
            pool: Pool::default(),
            log,
            manifest: nothing_yet(),
            last_id: 0,
            call_timeout: options.call_timeout,
            start_timeout: options.start_timeout,
            stop: options.stop,
            after: After::default(),
            lost: false,
        };
        worker.greet()?;
        worker.load(options)?;
        Ok(worker)
    }

    fn greet(&mut self) -> Result<()> {
        match self.wait(0, &Waiting::starting(self.start_timeout, "its start"))? {
            Frame::Hello { protocol: PROTOCOL, .. } => Ok(()),
            Frame::Hello { protocol, .. } => Err(self.bury(
                ErrorKind::Incompatible,
                &format!(
                    "its worker speaks version {protocol} of the protocol, this host version {PROTOCOL}"
                ),
            )),
            _ => Err(self.broke("it did not begin with hello")),
        }
    }

    fn load(&mut self, options: &WorkerOptions) -> Result<()> {
        let library = options.library.to_str().ok_or_else(|| {
            PluginError::invalid_request(format!("the path {} is not UTF-8", options.library.display()))
        })?;
        let id = self.next_id();
        let load = Frame::Load { id, library: library.to_owned() };
        match self.ask(id, &load, &Waiting::starting(self.start_timeout, "loading"))? {
            Frame::Loaded { manifest, .. } => {
                self.manifest = serde_json::from_str(&manifest)
                    .map_err(|e| self.broke(&format!("its manifest is unreadable: {e}")))?;
                Ok(())
            }
            other => Err(self.refusal(other, "load")),
        }
    }

    /// What the library says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The process's peak memory and CPU time, as of its last answer.
    pub fn after(&self) -> &After {
        &self.after
    }

    /// Whether the process is gone; it then serves no call any more.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Makes a component and gives the number that calls name. `cx` hears how far it is.
    ///
    /// # Errors
    /// What the component's constructor answers, `TimedOut`, `Crashed`.
    pub fn create(
        &mut self,
        component: &str,
        parameters: &serde_json::Value,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<u64> {
        let environment = serde_json::to_string(environment)
            .map_err(|e| PluginError::invalid_request(format!("the environment cannot be encoded: {e}")))?;
        let (id, component) = (self.next_id(), component.to_owned());
        let create = Frame::Create { id, component, parameters: parameters.to_string(), environment };
        let waiting = Waiting { cx: Some(cx), ..Waiting::starting(self.start_timeout, "its creation") };
        match self.ask(id, &create, &waiting)? {
            Frame::Created { instance, .. } => Ok(instance),
            other => Err(self.refusal(other, "create")),
        }
    }

    /// Calls a method of a component.
    ///
    /// # Errors
    /// What the component answers, `TimedOut`, `Crashed`, `Cancelled`, `ContractViolation`.
    pub fn call(
        &mut self,
        instance: u64,
        method: &str,
        message: Message,
        cx: &CallContext<'_>,
    ) -> Result<Message> {
        let Message { body, attachments } = message;
        if body.len() > MAX_FRAME - (1 << 20) {
            let what =
                format!("{method}: a request of {} MiB is too large; use smaller batches", body.len() >> 20);
            return Err(PluginError::invalid_request(what));
        }
        let attachments = self.pool.put(&attachments).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => PluginError::invalid_request(format!("{method}: {e}")),
            _ => PluginError::new(ErrorKind::Io, format!("{method}: no shared memory for the images: {e}")),
        })?;
        let id = self.next_id();
        let call = Frame::Call { id, instance, method: method.to_owned(), body, attachments };
        let waiting = Waiting { limit: self.call_timeout, what: method, cx: Some(cx), starting: false };
        match self.ask(id, &call, &waiting)? {
            Frame::Reply { body, attachments, after, .. } => {
                self.take_after(after);
                let attachments = copy_out(&attachments)
                    .map_err(|e| self.broke(&format!("{method}: the reply's images cannot be read: {e}")))?;
                Ok(Message { body, attachments })
            }
            other => Err(self.refusal(other, method)),
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn take_after(&mut self, after: After) {
        self.pool.release(&after.retained);
        self.after = after;
    }

    /// The error of an answer that is not the one hoped for.
    fn refusal(&mut self, answer: Frame, what: &str) -> PluginError {
        match answer {
            Frame::Failed { error, after, .. } => {
                self.take_after(after);
                error
            }
            _ => self.broke(&format!("it answered {what} with a frame of another kind")),
        }
    }

    fn ask(&mut self, id: u64, request: &Frame, waiting: &Waiting<'_>) -> Result<Frame> {
        let what = waiting.what;
        if self.lost {
            return Err(PluginError::new(ErrorKind::Crashed, format!("{}: its process is gone", self.label)));
        }
        match protocol::write(&mut self.stream, request) {
            Ok(()) => self.wait(id, waiting),
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
                Err(PluginError::invalid_request(format!("{what}: {e}; use smaller batches")))
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(self.bury(ErrorKind::TimedOut, &format!("it took no request for {what} any more")))
            }
            Err(_) => Err(self.died(what)),
        }
    }

    /// Waits for the answer of request `id` (0: the greeting).
    fn wait(&mut self, id: u64, waiting: &Waiting<'_>) -> Result<Frame> {
        let Waiting { limit, what, cx, starting } = *waiting;
        let started = Instant::now();
        let mut cancelled: Option<Instant> = None;
        loop {
            match self.reader.poll(&mut self.stream) {
                Ok(Some(Frame::Progress { id: of, fraction, note })) if of == id => {
                    if let Some(cx) = cx {
                        cx.progress(if fraction.is_finite() { fraction } else { 0.0 }, &note);
                    }
                }
                Ok(Some(frame)) if answers(&frame) == Some(id) => return Ok(frame),
                Ok(Some(_)) => {
                    return Err(self.broke(&format!("{what}: it sent a frame that nobody asked for")));
                }
                Ok(None) if matches!(self.child.try_wait(), Ok(Some(_))) => return Err(self.died(what)),
                Ok(None) => {}
                Err(ReadError::Closed | ReadError::Io(_)) => return Err(self.died(what)),
                Err(ReadError::Malformed(e)) => return Err(self.broke(&format!("{what}: {e}"))),
            }
            if starting && self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(self.bury(ErrorKind::Cancelled, &format!("{what} was stopped")));
            }
            if cancelled.is_none() && cx.is_some_and(CallContext::is_cancelled) {
                cancelled = Some(Instant::now());
                // A worker that is gone is noticed in the next round.
                let _ = protocol::write(&mut self.stream, &Frame::Cancel { id });
            }
            if cancelled.is_some_and(|since| since.elapsed() > CANCEL_GRACE) {
                let told = format!("{what} did not stop within {} s and was killed", CANCEL_GRACE.as_secs());
                return Err(self.bury(ErrorKind::Cancelled, &told));
            }
            if started.elapsed() > limit {
                let told = format!("{what} took longer than {} s and was killed", limit.as_secs_f64());
                return Err(self.bury(ErrorKind::TimedOut, &told));
            }
        }
    }

    fn broke(&mut self, how: &str) -> PluginError {
        self.bury(ErrorKind::ContractViolation, how)
    }

    /// The process went away by itself.
    fn died(&mut self, during: &str) -> PluginError {
        let since = Instant::now();
        let status = loop {
            match self.child.try_wait() {
                Ok(None) if since.elapsed() < EXIT_GRACE => std::thread::sleep(Duration::from_millis(2)),
                other => break other.ok().flatten(),
            }
        };
        let how = status.map_or_else(|| "closed its connection".to_owned(), |status| obituary(&status));
        self.bury(ErrorKind::Crashed, &format!("its process {how} during {during}"))
    }

    /// Ends the process and says why, with the last words of its output.
    fn bury(&mut self, kind: ErrorKind, what: &str) -> PluginError {
        self.end();
        let words = self.log.last_words();
        let words = if words.is_empty() { words } else { format!("; its last output: {words}") };
        let error = PluginError::new(kind, format!("{}: {what}{words}", self.label));
        match self.log.path() {
            Some(path) => error.with_hint(format!("its whole output is in {}", path.display())),
            None => error,
        }
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.lost, true) {
            return;
        }
        kill_group(&self.child);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

fn nothing_yet() -> Manifest {
    Manifest {
        library: String::new(),
        version: String::new(),
        contract: adeval_sdk::ContractVersion::CURRENT,
        features: Vec::new(),
        components: Vec::new(),
    }
}

/// Which request a frame answers.
fn answers(frame: &Frame) -> Option<u64> {
    match frame {
        Frame::Hello { .. } => Some(0),
        Frame::Loaded { id, .. }
        | Frame::Created { id, .. }
        | Frame::Reply { id, .. }
        | Frame::Failed { id, .. } => Some(*id),
        _ => None,
    }
}

fn start(options: &WorkerOptions, log: &WorkerLog) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(TICK))?;
    ours.set_write_timeout(Some(options.call_timeout.max(TICK)))?;
    let program = options.program()?;
    let mut command = Command::new(&program);
    command
        .arg0("adeval")
        .arg("__worker")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(log.output()?)
        .stderr(log.output()?)
        // Ctrl-C in a terminal is the host's to handle, and a timeout kills what the plugin has started too.
        .process_group(0);
    let child =
        command.spawn().map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", program.display())))?;
    Ok((child, ours))
}
