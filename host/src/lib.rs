//! The host of adeval: finds and isolates plugins, runs suites over them, keeps runs, and speaks with people.
//!
//! [`plugin`] turns a library into an endpoint in a worker process; [`mod@bench`] turns a suite into a board with the help of
//! [`products`] and [`store`]; [`market`] gives its creatives to simulated shoppers; [`cli`] is the command line.

pub mod bench;
pub mod check;
pub mod cli;
pub mod consistency;
pub mod features;
pub mod market;
pub mod near;
pub mod plugin;
pub mod products;
pub mod records;
pub mod scaffold;
pub mod sheet;
pub mod snapshot;
pub mod store;
pub mod suite;
pub mod train;
