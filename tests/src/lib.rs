//! What the end-to-end tests share: the built program and plugins ([`built`]), a room to work in ([`Room`]), the program
//! run from outside ([`Program`]), and what it leaves behind ([`RunDir`]).

pub mod built;
pub mod pictures;
mod program;
mod room;
mod run_dir;
mod suite;
pub mod tiny_llava;

pub use program::{Ended, Program, Running, is_alive, wait_for};
pub use room::Room;
pub use run_dir::RunDir;
pub use suite::Suite;
