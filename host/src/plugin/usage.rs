//! What a component costs.

use super::protocol::After;
use std::time::Duration;

/// What an open component has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Largest resident memory of its process in bytes (in process: of the host); `None` where unknown.
    pub peak_rss: Option<u64>,
    /// CPU time of its processes in seconds, loading included; `None` in process, where it is not told apart.
    pub cpu_seconds: Option<f64>,
    /// Calls made, failed ones included.
    pub calls: u64,
    /// Wall time inside calls, in seconds, the transport included.
    pub busy_seconds: f64,
}

/// Adds up [`Usage`] over calls and processes.
#[derive(Default)]
pub struct Meter {
    usage: Usage,
    /// CPU time of processes that are gone.
    buried_seconds: f64,
    /// CPU time of the present process.
    present_seconds: f64,
}

impl Meter {
    /// Counts a call, and what its process said of itself.
    pub fn call(&mut self, busy: Duration, after: Option<&After>) {
        self.usage.calls += 1;
        self.usage.busy_seconds += busy.as_secs_f64();
        let Some(after) = after else { return };
        if after.peak_rss > 0 {
            self.usage.peak_rss = Some(after.peak_rss.max(self.usage.peak_rss.unwrap_or(0)));
        }
        if after.cpu_seconds.is_finite() && after.cpu_seconds > 0.0 {
            self.present_seconds = after.cpu_seconds.max(self.present_seconds);
            self.usage.cpu_seconds = Some(self.buried_seconds + self.present_seconds);
        }
    }

    /// The present process is gone; the next one counts from zero.
    pub fn next_process(&mut self) {
        self.buried_seconds += std::mem::take(&mut self.present_seconds);
    }

    /// The sums so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_adds_up_over_processes_and_memory_is_the_largest() {
        let after = |peak_rss, cpu_seconds| After { retained: Vec::new(), peak_rss, cpu_seconds };
        let mut meter = Meter::default();
        meter.call(Duration::from_millis(500), Some(&after(10, 1.0)));
        meter.call(Duration::from_millis(500), Some(&after(30, 2.0)));
        meter.next_process();
        meter.call(Duration::from_secs(1), Some(&after(20, 0.5)));
        let usage = Usage { peak_rss: Some(30), cpu_seconds: Some(2.5), calls: 3, busy_seconds: 2.0 };
        assert_eq!(meter.usage(), usage);
    }
}
