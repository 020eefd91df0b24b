//! host

pub mod plugin;
