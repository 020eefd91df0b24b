//! Reference plugin: photo-background.
