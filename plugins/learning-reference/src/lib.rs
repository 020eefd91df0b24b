//! Reference plugin: learning-reference.
