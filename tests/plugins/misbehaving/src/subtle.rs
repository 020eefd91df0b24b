//! Components that answer in the right shape and are wrong all the same: what only a conformance check finds.

mod judges;
mod optimizers;
mod pictures;
mod policies;

use adeval_sdk::Library;

pub fn add(library: &mut Library) {
    pictures::add(library);
    judges::add(library);
    optimizers::add(library);
    policies::add(library);
}
