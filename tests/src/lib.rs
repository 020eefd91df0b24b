//! End-to-end tests of the built binary; see the tests folder.
