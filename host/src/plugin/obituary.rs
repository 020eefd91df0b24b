//! How a worker's process ended, in words.

use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a process ended, in words.
pub fn obituary(status: &ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(raw), _) => {
            let name = match Signal::from_named_raw(raw) {
                Some(Signal::ABORT) => " (abort)",
                Some(Signal::SEGV) => " (segmentation fault)",
                Some(Signal::BUS) => " (bus error; often a truncated file)",
                Some(Signal::ILL) => " (illegal instruction)",
                Some(Signal::FPE) => " (arithmetic fault)",
                Some(Signal::KILL) => " (kill; often for want of memory)",
                Some(Signal::TERM) => " (terminate)",
                _ => "",
            };
            format!("was ended by signal {raw}{name}")
        }
        (None, Some(code)) => format!("exited with code {code}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_and_codes_are_told_apart() {
        assert_eq!(obituary(&ExitStatus::from_raw(3 << 8)), "exited with code 3");
        assert_eq!(obituary(&ExitStatus::from_raw(6)), "was ended by signal 6 (abort)");
        assert!(
            obituary(&ExitStatus::from_raw(7)).contains("truncated file"),
            "as loading half of a library does"
        );
    }
}
