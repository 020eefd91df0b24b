//! host

pub mod plugin;
pub mod bench;
pub mod cutout;
pub mod products;
pub mod sheet;
pub mod store;
pub mod suite;
