//! The random numbers of `torch.Generator`: the Mersenne Twister of the CPU, and Philox of CUDA.
