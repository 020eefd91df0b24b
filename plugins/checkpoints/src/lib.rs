//! Finds, downloads, lists and checks the files of published model checkpoints, without loading a tensor.
