//! What starting and ending processes of this program have in common.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io;
use std::path::PathBuf;
use std::process::Child;

/// This program's file, to be started once more.
///
/// # Errors
/// When the system does not tell.
pub fn this_program() -> io::Result<PathBuf> {
    // The link leads to the running file also after an upgrade has replaced it on disk.
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() { Ok(link) } else { std::env::current_exe() }
}

/// Kills a child that leads a process group, and all that it has started. Call it before the child is reaped: until then
/// its group cannot be another's.
pub fn kill_group(child: &Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A group that is gone already is as dead as it should be.
        let _ = kill_process_group(group, Signal::KILL);
    }
}
