//! Reference plugin: template-prompt.
