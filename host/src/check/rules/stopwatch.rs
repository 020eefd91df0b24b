//! How long a component goes on after it was told to stop, without the time that a busy machine kept it waiting.

use adeval_sdk::{CallContext, Endpoint, Message, PluginError};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Looks at the clock as the component is entered and left: making the requests takes time too, which is not its own.
pub struct Stopwatch {
    component: Arc<dyn Endpoint>,
    times: Mutex<Times>,
}

#[derive(Default)]
struct Times {
    entered: Option<Instant>,
    cancelled: Option<(Instant, Waits)>,
    late: Duration,
}

impl Stopwatch {
    pub fn new(component: Arc<dyn Endpoint>) -> Self {
        Self { component, times: Mutex::default() }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn reset(&self) {
        *self.times() = Times::default();
    }

    pub fn is_entered(&self) -> bool {
        self.times().entered.is_some()
    }

    pub fn cancelled_now(&self) {
        let waits = Waits::now();
        self.times().cancelled = Some((Instant::now(), waits));
    }

    /// The longest that a call went on after it was cancelled.
    pub fn late(&self) -> Duration {
        self.times().late
    }
}

impl Endpoint for Stopwatch {
    fn call(&self, method: &str, message: Message, cx: &CallContext<'_>) -> Result<Message, PluginError> {
        let entered = Instant::now();
        self.times().entered = Some(entered);
        let reply = self.component.call(method, message, cx);
        let left = Instant::now();
        let mut times = self.times();
        let late = times.cancelled.as_ref().map(|(cancelled, waits)| {
            let went_on = left.saturating_duration_since(entered.max(*cancelled));
            went_on.saturating_sub(Waits::now().longest_since(waits))
        });
        times.late = times.late.max(late.unwrap_or_default());
        reply
    }
}

/// How long each thread of this process has been ready to run and was not let, since it began.
struct Waits(BTreeMap<OsString, Duration>);

impl Waits {
    /// Empty where the system does not tell: then a busy machine's time counts as the plugin's.
    fn now() -> Self {
        let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let wait = |thread: std::fs::DirEntry| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            // Time on a processor, time ready and waiting for one, turns; the times in nanoseconds.
            let nanoseconds = text.split_whitespace().nth(1)?.parse().ok()?;
            Some((thread.file_name(), Duration::from_nanos(nanoseconds)))
        };
        Self(threads.filter_map(wait).collect())
    }

    /// The most that one thread has waited since `before`: a call is as late as the slowest of its threads.
    fn longest_since(&self, before: &Self) -> Duration {
        let since = |(thread, wait): (&OsString, &Duration)| {
            wait.saturating_sub(before.0.get(thread).copied().unwrap_or_default())
        };
        self.0.iter().map(since).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Naps(Duration);

    impl Endpoint for Naps {
        fn call(&self, _: &str, message: Message, _: &CallContext<'_>) -> Result<Message, PluginError> {
            std::thread::sleep(self.0);
            Ok(message)
        }
    }

    fn lateness(nap: u64) -> Duration {
        let watch = Stopwatch::new(Arc::new(Naps(Duration::from_millis(nap))));
        watch.cancelled_now();
        watch.call("nap", Message::default(), &CallContext::detached()).unwrap();
        watch.late()
    }

    /// A thread that sleeps is not ready to run: its time is the plugin's. What other tests' threads wait meanwhile is taken off.
    #[test]
    fn a_call_that_sleeps_is_late_by_as_much() {
        let before = Waits::now();
        let late = lateness(300);
        let waited = Waits::now().longest_since(&before);
        assert!(late + waited >= Duration::from_millis(290), "{late:?}, others waited {waited:?}");
        assert!(late <= Duration::from_secs(60), "{late:?}");
    }

    #[test]
    fn waiting_for_a_processor_does_not_count() {
        let waits = |list: &[(&str, u64)]| {
            let wait = |(thread, ms): &(&str, u64)| (OsString::from(thread), Duration::from_millis(*ms));
            Waits(list.iter().map(wait).collect())
        };
        let before = waits(&[("1", 500), ("2", 10)]);
        let after = waits(&[("1", 600), ("2", 400), ("3", 50)]);
        assert_eq!(after.longest_since(&before), Duration::from_millis(390));
    }
}
