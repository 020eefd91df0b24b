//! The adeval command line.

fn main() {}
