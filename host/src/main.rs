//! The `adeval` program: a worker or one rule of a check when the host starts it as such, the command line
//! otherwise.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next().as_deref().and_then(std::ffi::OsStr::to_str), arguments.next()) {
        (Some("__worker"), _) => adeval_host::plugin::serve(),
        (Some("__check"), Some(task)) => adeval_host::check::attempt_in_this_process(task.as_ref()),
        _ => adeval_host::cli::main(),
    }
}
