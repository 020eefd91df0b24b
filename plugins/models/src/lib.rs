//! plugins/models
