//! Reference plugin: scene-background.
