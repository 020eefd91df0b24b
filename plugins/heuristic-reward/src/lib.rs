//! Reference plugin: heuristic-reward.
