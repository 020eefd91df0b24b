//! plugins/compositing
