//! Samplers of diffusion models, equal to those of diffusers. Each takes its noise from a given generator.
