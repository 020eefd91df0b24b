//! The worker: what the hidden subcommand `__worker` runs.
//!
//! The socket to the host arrives as standard input. It is moved away first, so that a plugin which reads standard
//! input or prints cannot disturb the protocol. Calls run one at a time on the main thread; a second thread
//! reads frames, so that a cancellation reaches a call in progress and the end of the host ends a call that hangs.

use super::protocol::{self, After, Frame, FrameReader, PROTOCOL, ReadError, Slice};
use super::shared_memory::{Mappings, Pool};
use adeval_sdk::abi::{self, LoadedLibrary};
use adeval_sdk::{CallContext, CallHost, Endpoint, Environment, ErrorKind, Message, PluginError, Result};
use rustix::process::{Signal, getpgrp, getpid, kill_process, kill_process_group};
use std::io;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Progress more often than this is not sent.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);
/// Letters of a note that are sent.
const NOTE_CHARS: usize = 400;

/// Serves the host at the other end of standard input until it goes away.
pub fn serve() -> ExitCode {
    match connect().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!(
                "adeval __worker: {e}; this subcommand is started by adeval itself, with a socket as its input"
            );
            ExitCode::from(70)
        }
    }
}

/// Takes the socket off standard input and puts /dev/null there.
fn connect() -> io::Result<UnixStream> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(null)?;
    Ok(UnixStream::from(socket))
}

fn run(stream: UnixStream) -> io::Result<()> {
    let writer = Writer(Arc::new(Mutex::new(stream.try_clone()?)));
    writer.send(&Frame::Hello { protocol: PROTOCOL, pid: std::process::id() })?;
    let cancelled = Arc::new(AtomicU64::new(0));
    let (sender, frames) = channel();
    let flag = Arc::clone(&cancelled);
    std::thread::Builder::new().name("adeval-frames".into()).spawn(move || read(&stream, &sender, &flag))?;
    Session {
        writer,
        cancelled,
        library: None,
        instances: Vec::new(),
        maps: Mappings::default(),
        pool: Pool::default(),
    }
    .run(&frames)
}

fn read(mut stream: &UnixStream, frames: &Sender<Frame>, cancelled: &AtomicU64) {
    let mut reader = FrameReader::default();
    loop {
        match reader.poll(&mut stream) {
            Ok(Some(Frame::Cancel { id })) => cancelled.store(id, Ordering::Relaxed),
            Ok(Some(frame)) => {
                if frames.send(frame).is_err() {
                    die();
                }
            }
            Ok(None) => {}
            Err(ReadError::Closed) => die(),
            Err(e) => {
                eprintln!("adeval __worker: {e}");
                die();
            }
        }
    }
}

/// Ends this process and what the plugin started, without running anybody's exit handlers: one of them may hang.
fn die() -> ! {
    if getpgrp() == getpid() {
        let _ = kill_process_group(getpgrp(), Signal::KILL);
    }
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}

#[derive(Clone)]
struct Writer(Arc<Mutex<UnixStream>>);

impl Writer {
    fn send(&self, frame: &Frame) -> io::Result<()> {
        protocol::write(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), frame)
    }
}

struct Session {
    writer: Writer,
    cancelled: Arc<AtomicU64>,
    library: Option<LoadedLibrary>,
    instances: Vec<Box<dyn Endpoint>>,
    maps: Mappings,
    pool: Pool,
}

impl Session {
    fn run(mut self, frames: &Receiver<Frame>) -> io::Result<()> {
        for frame in frames {
            let Some(id) = id_of(&frame) else { continue };
            // The shim catches a component's panics; this is for the loading around it.
            let answer = catch_unwind(AssertUnwindSafe(|| self.answer(id, frame))).unwrap_or_else(|_| {
                Err(PluginError::new(ErrorKind::Panicked, "the worker panicked while it handled the plugin"))
            });
            let frame = match answer {
                Ok(frame) => frame,
                Err(error) => Frame::Failed { id, error, after: self.after() },
            };
            self.send(id, &frame)?;
        }
        Ok(())
    }

    /// Sends an answer; one that is too large becomes the error that says so.
    fn send(&mut self, id: u64, frame: &Frame) -> io::Result<()> {
        match self.writer.send(frame) {
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
                let error = PluginError::violation(format!("the answer is too large: {e}"));
                let after = self.after();
                self.writer.send(&Frame::Failed { id, error, after })
            }
            other => other,
        }
    }

    fn after(&mut self) -> After {
        After { retained: self.maps.retained(), peak_rss: peak_rss(), cpu_seconds: cpu_seconds() }
    }

    fn answer(&mut self, id: u64, frame: Frame) -> Result<Frame> {
        match frame {
            Frame::Load { library, .. } => self.load(id, &library),
            Frame::Create { component, parameters, environment, .. } => {
                self.create(id, &component, &parameters, &environment)
            }
            Frame::Call { instance, method, body, attachments, .. } => {
                self.call(id, instance, &method, body, &attachments)
            }
            _ => Err(PluginError::violation("the worker was sent a frame that only workers send")),
        }
    }

    /// The other side of request `id`, which hears of progress at most so often.
    fn host(&self, id: u64, every: Duration) -> RemoteHost {
        let (writer, cancelled) = (self.writer.clone(), Arc::clone(&self.cancelled));
        RemoteHost { id, writer, cancelled, every, shown: Mutex::new(None) }
    }

    fn load(&mut self, id: u64, path: &str) -> Result<Frame> {
        let library = abi::load(Path::new(path))?;
        let manifest = serde_json::to_string(library.manifest())
            .map_err(|e| PluginError::violation(format!("the manifest cannot be encoded: {e}")))?;
        self.library = Some(library);
        Ok(Frame::Loaded { id, manifest })
    }

    fn create(&mut self, id: u64, component: &str, parameters: &str, environment: &str) -> Result<Frame> {
        let unreadable = |e: serde_json::Error| PluginError::violation(format!("create: {e}"));
        let library =
            self.library.as_ref().ok_or_else(|| PluginError::violation("create came before load"))?;
        let parameters = serde_json::from_str(parameters).map_err(unreadable)?;
        let environment: Environment = serde_json::from_str(environment).map_err(unreadable)?;
        // Loading says few things, and each of them counts.
        let host = self.host(id, Duration::ZERO);
        let cx = CallContext::new(&host);
        self.instances.push(library.create_watched(component, &parameters, &environment, &cx)?);
        Ok(Frame::Created { id, instance: self.instances.len() as u64 - 1 })
    }

    fn call(
        &mut self,
        id: u64,
        instance: u64,
        method: &str,
        body: Vec<u8>,
        slices: &[Slice],
    ) -> Result<Frame> {
        let component = usize::try_from(instance)
            .ok()
            .and_then(|i| self.instances.get(i))
            .ok_or_else(|| PluginError::violation(format!("there is no instance {instance}")))?;
        let attachments = self.maps.view(slices).map_err(|e| memory("a request's images", &e))?;
        let host = self.host(id, PROGRESS_EVERY);
        let reply = component.call(method, Message { body, attachments }, &CallContext::new(&host))?;
        let attachments = self.pool.put(&reply.attachments).map_err(|e| memory("a reply's images", &e))?;
        let body = reply.body;
        // Views that the reply echoes are no retained ones.
        drop(reply.attachments);
        Ok(Frame::Reply { id, body, attachments, after: self.after() })
    }
}

fn id_of(frame: &Frame) -> Option<u64> {
    match frame {
        Frame::Load { id, .. } | Frame::Create { id, .. } | Frame::Call { id, .. } => Some(*id),
        _ => None,
    }
}

fn memory(what: &str, error: &io::Error) -> PluginError {
    PluginError::new(ErrorKind::Io, format!("{what} cannot pass through shared memory: {error}"))
}

/// The host of a call, as far away as it is.
struct RemoteHost {
    id: u64,
    writer: Writer,
    cancelled: Arc<AtomicU64>,
    every: Duration,
    shown: Mutex<Option<Instant>>,
}

impl CallHost for RemoteHost {
    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) == self.id
    }

    fn progress(&self, fraction: f32, note: &str) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if fraction < 1.0 && shown.is_some_and(|at| at.elapsed() < self.every) {
            return;
        }
        *shown = Some(Instant::now());
        let note = note.chars().take(NOTE_CHARS).collect();
        // A host that is gone is noticed by the reading thread.
        let _ = self.writer.send(&Frame::Progress { id: self.id, fraction, note });
    }
}

/// The largest resident memory of this process so far, in bytes; 0 where the system does not tell.
pub(super) fn peak_rss() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|kib| kib.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) << 10
}

/// The CPU time of this process so far, over all threads, in seconds.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "seconds of CPU time are far below 2^53")]
    let seconds = time.tv_sec as f64;
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds are below 10^9")]
    let nanoseconds = time.tv_nsec as f64;
    seconds + nanoseconds * 1e-9
}
