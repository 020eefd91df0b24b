//! Stable Diffusion 1.5 with ControlNet and IP-Adapter, equal to diffusers.
