//! The `adeval` program: a worker when the host starts it as one, the command line otherwise.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("__worker") {
        return adeval_host::plugin::serve();
    }
    adeval_host::cli::main()
}
