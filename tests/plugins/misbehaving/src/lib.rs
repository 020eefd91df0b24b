//! A plugin with a component for each way to misbehave: its id says which. The well-behaved ones are the control, and
//! serve beside a bad one in a suite.
//!
//! The ids, by kind:
//! - background generators: `well-behaved`, `prints`, `shouts`, `sleeps`, `fails-for-one`, `dies-for-one`, `dies-after`,
//!   `panics`, `panics-in-create`, `refuses-to-start`, `aborts`, `segfaults`, `overflows-its-stack`, `hangs`,
//!   `hangs-in-create`, `exits`, `allocates-without-end`, `returns-another-size`, `returns-too-many`,
//!   `lies-about-its-size`, `answers-nonsense`
//! - prompt generators: `plain-prompt`, `empty-prompt`, `too-many-samples`, `panics-on-a-product`
//! - reward models: `brightness`, `slow-brightness`, `nan-preference`, `ctr-above-one`, `loses-an-answer`, `aborts-on-a-pair`
//! - image embedders: `mean-colour`, `nan-features`, `sums-by-thread`
//!
//! In `subtle` are those whose answers look right and are wrong: they are for the conformance check.
//!
//! What could endanger the machine is bounded by the component itself.

use adeval_sdk::Library;

#[macro_use]
mod component;
mod control;
mod deadly;
mod embedder;
mod judge;
mod lying;
mod prompt;
mod subtle;

fn library() -> Library {
    let mut library = Library::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    control::add(&mut library);
    deadly::add(&mut library);
    lying::add(&mut library);
    prompt::add(&mut library);
    judge::add(&mut library);
    embedder::add(&mut library);
    subtle::add(&mut library);
    library
}

adeval_sdk::export_plugin!(library);
