//! Reference plugin: efficientnet-embedder.
