//! Ctrl-C: the first asks the work to stop after the batch in flight, the second ends the program.

use super::Stop;
use std::sync::atomic::{AtomicBool, Ordering};

static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C (and the system's request to end) from now on; gives the flag that it sets.
pub fn listen() -> Result<&'static AtomicBool, Stop> {
    ctrlc::set_handler(|| {
        if CANCELLED.swap(true, Ordering::Relaxed) {
            // Workers end when their host is gone; results are on the disk as soon as they are counted.
            std::process::exit(130);
        }
        anstream::eprintln!("\nstopping after the batch in flight; press Ctrl-C again to end at once");
    })
    .map_err(|error| Stop::new(format!("Ctrl-C cannot be handled: {error}")))?;
    Ok(&CANCELLED)
}
