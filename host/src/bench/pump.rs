//! Keeps a plugin busy: one thread prepares the next batch and another keeps the last results while it works.

use super::{BenchError, Services};
use adeval_sdk::{CallContext, CallHost, ErrorKind, PluginError};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// Wall time inside plugins. Plugins are called from one thread, so times add up.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    /// Runs a call and gives its time in seconds.
    pub fn time<T>(&self, call: impl FnOnce() -> T) -> (T, f64) {
        let started = Instant::now();
        let value = call();
        let spent = started.elapsed();
        self.0.fetch_add(u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        (value, spent.as_secs_f64())
    }

    /// The sum in seconds.
    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.0.load(Ordering::Relaxed)).as_secs_f64()
    }
}

/// The host's side of a call: the user's wish to stop goes to the plugin, what the plugin says of itself to the user.
pub struct Caller<'a>(pub &'a Services<'a>);

impl CallHost for Caller<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancel.load(Ordering::Relaxed)
    }
    fn progress(&self, fraction: f32, note: &str) {
        self.0.progress.note(fraction, note);
    }
}

/// The host's side of a component that loads.
pub struct Opener<'a>(pub &'a Services<'a>);

impl CallHost for Opener<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancel.load(Ordering::Relaxed)
    }
    fn progress(&self, _: f32, note: &str) {
        self.0.progress.loading(note);
    }
}

/// How many items a call gets: no more than are done in [`Pace::CALL_SECONDS`], so that a slow plugin's results are shown and
/// kept one by one, and its calls stay below their time limit, while a fast one gets whole batches.
#[derive(Default)]
struct Pace {
    /// Seconds of an item in the last call.
    seconds: Option<f64>,
}

impl Pace {
    const CALL_SECONDS: f64 = 20.0;

    /// A call that took no time, because nothing could be asked, tells nothing.
    fn learn(&mut self, seconds: f64, items: usize) {
        if seconds > 0.0 {
            self.seconds = Some(seconds / items as f64);
        }
    }

    /// The first call gets one item.
    fn items(&self, left: usize) -> usize {
        let fit = self.seconds.map_or(1.0, |seconds| Self::CALL_SECONDS / seconds.max(1e-9));
        (fit as usize).clamp(1, left.max(1))
    }
}

/// An item, what became of it, and its share of the call's seconds.
pub type Done<I, R> = (I, Result<R, PluginError>, f64);

/// The answers to a batch: one each, or one error for the whole call.
pub type Answers<R> = Result<Vec<Result<R, PluginError>>, PluginError>;

/// Sends batches through `load` (on a thread), `call` (here) and `keep` (on a thread), in order.
///
/// A call that fails as a whole is repeated item by item, so that only the culprit fails.
/// A batch is cut into calls by [`Pace`]. A set cancel flag ends the pump after the call in flight, whose finished items are kept.
pub fn pump<I: Send, Q: Send, R: Send>(
    batches: Vec<Vec<I>>,
    services: &Services<'_>,
    clock: &Clock,
    load: impl Fn(&[I]) -> Vec<Result<Q, PluginError>> + Send,
    mut call: impl FnMut(&[&Q], &CallContext<'_>) -> Answers<R>,
    mut keep: impl FnMut(Vec<Done<I, R>>) -> Result<(), BenchError> + Send,
) -> Result<(), BenchError> {
    let (loaded, ready) = sync_channel::<(Vec<I>, Vec<Result<Q, PluginError>>)>(2);
    let (done, finished) = sync_channel::<Vec<Done<I, R>>>(2);
    let caller = Caller(services);
    let mut pace = Pace::default();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for batch in batches {
                let requests = load(&batch);
                if loaded.send((batch, requests)).is_err() {
                    return;
                }
            }
        });
        let keeper = scope.spawn(move || finished.into_iter().try_for_each(&mut keep));
        'batches: for (items, requests) in ready {
            let mut waiting: VecDeque<_> = items.into_iter().zip(requests).collect();
            while !waiting.is_empty() {
                if services.cancel.load(Ordering::Relaxed) {
                    break 'batches;
                }
                let count = pace.items(waiting.len());
                let (items, requests): (Vec<I>, Vec<_>) = waiting.drain(..count).unzip();
                let results = answer(requests, &mut call, &CallContext::new(&caller), clock);
                pace.learn(results.iter().map(|(_, seconds)| seconds).sum(), count);
                let stop = services.cancel.load(Ordering::Relaxed);
                let done_items =
                    items.into_iter().zip(results).map(|(item, (result, seconds))| (item, result, seconds));
                // An item that was stopped half-way has not failed.
                let kept = done_items
                    .filter(|(_, r, _)| !matches!(r, Err(e) if e.kind == ErrorKind::Cancelled))
                    .collect();
                services.progress.advance(count);
                if done.send(kept).is_err() || stop {
                    break 'batches;
                }
            }
        }
        drop(done);
        keeper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// One result for each request, with its seconds.
fn answer<Q, R>(
    requests: Vec<Result<Q, PluginError>>,
    call: &mut impl FnMut(&[&Q], &CallContext<'_>) -> Answers<R>,
    cx: &CallContext<'_>,
    clock: &Clock,
) -> Vec<(Result<R, PluginError>, f64)> {
    let good: Vec<&Q> = requests.iter().filter_map(|r| r.as_ref().ok()).collect();
    let mut answers = answer_good(&good, call, cx, clock).into_iter();
    let mut next = || {
        let lost = PluginError::violation("the plugin gave no answer to this item");
        answers.next().unwrap_or((Err(lost), 0.0))
    };
    requests
        .iter()
        .map(|request| match request {
            Ok(_) => next(),
            Err(error) => (Err(error.clone()), 0.0),
        })
        .collect()
}

fn answer_good<Q, R>(
    good: &[&Q],
    call: &mut impl FnMut(&[&Q], &CallContext<'_>) -> Answers<R>,
    cx: &CallContext<'_>,
    clock: &Clock,
) -> Vec<(Result<R, PluginError>, f64)> {
    if good.is_empty() {
        return Vec::new();
    }
    let (whole, seconds) = clock.time(|| call(good, cx));
    match whole {
        Ok(results) => {
            let share = seconds / good.len() as f64;
            results.into_iter().map(|r| (r, share)).collect()
        }
        Err(error) if good.len() == 1 || cx.is_cancelled() => {
            good.iter().map(|_| (Err(error.clone()), seconds)).collect()
        }
        Err(_) => good.iter().flat_map(|one| answer_good(&[*one], call, cx, clock)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Silent;
    use crate::bench::tests::toys::{NoMatting, Toys};
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    fn run(
        cancel: &AtomicBool,
        mut call: impl FnMut(&[&u32]) -> Answers<u32>,
    ) -> Vec<(u32, Result<u32, ErrorKind>)> {
        let toys = Toys::default();
        let services = Services { plugins: &toys, matting: &NoMatting, progress: &Silent, cancel };
        let kept = Mutex::new(Vec::new());
        let batches = vec![vec![1, 2, 3], vec![4, 5, 6]];
        let load = |items: &[u32]| items.iter().map(|i| Ok(*i)).collect();
        pump(
            batches,
            &services,
            &Clock::default(),
            load,
            |q, _| call(q),
            |done| {
                kept.lock().unwrap().extend(done.into_iter().map(|(i, r, _)| (i, r.map_err(|e| e.kind))));
                Ok(())
            },
        )
        .unwrap();
        kept.into_inner().unwrap()
    }

    #[test]
    fn a_slow_plugin_gets_few_items_at_once_and_a_fast_one_all() {
        let pace = |seconds| Pace { seconds };
        assert_eq!(pace(None).items(8), 1, "nothing is known of it yet");
        assert_eq!(pace(Some(0.02)).items(8), 8);
        assert_eq!(pace(Some(5.0)).items(8), 4);
        assert_eq!(pace(Some(150.0)).items(8), 1);
        let mut slow = pace(Some(150.0));
        slow.learn(0.0, 8);
        assert_eq!(slow.items(8), 1);
    }

    #[test]
    fn only_the_culprit_of_a_crash_fails() {
        let crash = PluginError::new(ErrorKind::Crashed, "signal 6");
        let kept = run(&AtomicBool::new(false), |q| {
            if q.contains(&&5) { Err(crash.clone()) } else { Ok(q.iter().map(|q| Ok(**q * 10)).collect()) }
        });
        let wanted = (1..=6).map(|i| (i, if i == 5 { Err(ErrorKind::Crashed) } else { Ok(i * 10) }));
        assert_eq!(kept, wanted.collect::<Vec<_>>());
    }

    #[test]
    fn cancelling_keeps_finished_batches_and_records_no_failure() {
        let cancel = AtomicBool::new(false);
        let kept = run(&cancel, |q| {
            if q.contains(&&4) {
                cancel.store(true, Ordering::Relaxed);
                return Err(PluginError::new(ErrorKind::Cancelled, "stopped"));
            }
            Ok(q.iter().map(|q| Ok(**q)).collect())
        });
        assert_eq!(kept, [(1, Ok(1)), (2, Ok(2)), (3, Ok(3))]);
    }
}
