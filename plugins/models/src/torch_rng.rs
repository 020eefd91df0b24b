//! The random numbers of `torch.Generator`: the Mersenne Twister of the CPU, and Philox of CUDA.
//!
//! The same seed gives the same latents as PyTorch, and so do mixed calls that follow one another, because the state
//! moves on as PyTorch's does. Reference: torch 2.15.
//!
//! | stream | draws | equal to torch |
//! |---|---|---|
//! | CPU | uniform, integers, permutations | bit for bit |
//! | CPU | normal, fewer than 16 values | bit for bit (f64 Box-Muller with a kept second value, glibc's functions) |
//! | CPU | normal f64, 16 values or more | bit for bit with glibc's functions |
//! | CPU | normal f32, 16 values or more | bit for bit with the AVX2 kernel, which x86 machines with AVX2 or AVX-512 run; the scalar kernel differs by up to 1e-6 |
//! | CPU | normal f16 and bf16 | the f32 values of torch 2.15, rounded; older versions drew with fewer bits |
//! | CUDA | uniform, normal | the same Philox words; the card's fast sine and logarithm differ from exact ones by about 1e-6 |
//!
//! ```
//! use adeval_models::torch_rng::Generator;
//! use candle_core::DType;
//!
//! // torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(7))
//! let latents = Generator::cpu(7).randn(&[1, 4, 64, 64], DType::F32)?;
//! # assert_eq!(latents.dims(), [1, 4, 64, 64]);
//! # Ok::<(), adeval_models::ModelError>(())
//! ```

mod cpu;
mod mt19937;
mod normal;
mod philox;

use candle_core::{DType, Shape, Tensor};
use half::{bf16, f16};

use crate::{ModelError, Result};
pub use cpu::CpuGenerator;
pub use philox::{Card, CudaGenerator, philox4x32_10};

/// Where the generator that is reproduced lives in PyTorch; the numbers themselves are always computed on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// `torch.Generator("cpu")`: the Mersenne Twister MT19937.
    Cpu,
    /// `torch.Generator("cuda")`: Philox4x32-10.
    Cuda,
}

/// A `torch.Generator`: a seeded stream of random numbers whose state moves on with each call.
#[derive(Clone, Debug)]
pub enum Generator {
    /// The stream of the CPU.
    Cpu(CpuGenerator),
    /// The stream of a CUDA card.
    Cuda(CudaGenerator),
}

impl Generator {
    /// `torch.Generator("cpu").manual_seed(seed)`. The Mersenne Twister sees only the low 32 bits of the seed.
    pub fn cpu(seed: u64) -> Self {
        Self::Cpu(CpuGenerator::new(seed))
    }

    /// `torch.Generator("cuda").manual_seed(seed)` on a card of [`Card::default`] size.
    ///
    /// The size of the card matters only for draws of more values than it has threads (221 184 by default, 13 latents
    /// of 512x512 pictures); [`CudaGenerator::on`] takes another.
    pub fn cuda(seed: u64) -> Self {
        Self::Cuda(CudaGenerator::on(seed, Card::default()))
    }

    /// A generator of the given kind.
    pub fn new(device: Device, seed: u64) -> Self {
        match device {
            Device::Cpu => Self::cpu(seed),
            Device::Cuda => Self::cuda(seed),
        }
    }

    /// Which of PyTorch's streams this is.
    pub fn device(&self) -> Device {
        match self {
            Self::Cpu(_) => Device::Cpu,
            Self::Cuda(_) => Device::Cuda,
        }
    }

    /// Starts the stream of another seed, as if the generator were new.
    pub fn manual_seed(&mut self, seed: u64) {
        match self {
            Self::Cpu(generator) => generator.manual_seed(seed),
            Self::Cuda(generator) => generator.manual_seed(seed),
        }
    }

    /// `torch.randn(shape, dtype=dtype, generator=self)`: standard normal values, as a tensor on the CPU.
    ///
    /// # Errors
    /// [`ModelError::Input`] for a type other than F32, F64 (CPU stream only), F16 and BF16.
    pub fn randn(&mut self, shape: &[usize], dtype: DType) -> Result<Tensor> {
        let count = shape.iter().product();
        match (self, dtype) {
            (Self::Cpu(generator), DType::F64) => {
                let mut values = vec![0.0; count];
                generator.randn_f64(&mut values);
                tensor(values, shape)
            }
            (Self::Cpu(generator), DType::F32) => {
                let mut values = vec![0.0; count];
                generator.randn_f32(&mut values);
                tensor(values, shape)
            }
            (Self::Cpu(generator), DType::F16) => tensor(generator.randn_half(count, f16::from_f32), shape),
            (Self::Cpu(generator), DType::BF16) => tensor(generator.randn_half(count, bf16::from_f32), shape),
            (Self::Cuda(generator), DType::F32 | DType::F16 | DType::BF16) => {
                let mut values = vec![0.0; count];
                generator.randn_f32(&mut values);
                Ok(tensor(values, shape)?.to_dtype(dtype)?)
            }
            (_, other) => Err(wrong_type(other)),
        }
    }

    /// `torch.rand(shape, dtype=dtype, generator=self)`: uniform values in `[0, 1)`, as a tensor on the CPU.
    ///
    /// # Errors
    /// [`ModelError::Input`] for a type other than F32 and F64 (CPU stream only).
    pub fn rand(&mut self, shape: &[usize], dtype: DType) -> Result<Tensor> {
        let count = shape.iter().product();
        match (self, dtype) {
            (Self::Cpu(generator), DType::F64) => {
                let mut values = vec![0.0; count];
                generator.rand_f64(&mut values);
                tensor(values, shape)
            }
            (Self::Cpu(generator), DType::F32) => {
                let mut values = vec![0.0; count];
                generator.rand_f32(&mut values);
                tensor(values, shape)
            }
            (Self::Cuda(generator), DType::F32) => {
                let mut values = vec![0.0; count];
                generator.rand_f32(&mut values);
                tensor(values, shape)
            }
            (_, other) => Err(wrong_type(other)),
        }
    }
}

fn tensor<T: candle_core::WithDType>(values: Vec<T>, shape: &[usize]) -> Result<Tensor> {
    Ok(Tensor::from_vec(values, Shape::from(shape), &candle_core::Device::Cpu)?)
}

fn wrong_type(found: DType) -> ModelError {
    ModelError::Input {
        found: format!("a draw of type {found:?}"),
        expected: "F32, or F16, BF16 (normal draws) and F64 (CPU generator)",
    }
}

/// Where a sampler takes its noise from: a [`Generator`], several of them, or noise that was [`Recorded`].
pub trait Noise {
    /// Standard normal values of the given shape and type, put on `device` after they were drawn.
    ///
    /// # Errors
    /// [`ModelError::Input`] if the source has no such noise.
    fn normal(&mut self, shape: &[usize], dtype: DType, device: &candle_core::Device) -> Result<Tensor>;
}

impl Noise for Generator {
    fn normal(&mut self, shape: &[usize], dtype: DType, device: &candle_core::Device) -> Result<Tensor> {
        Ok(self.randn(shape, dtype)?.to_device(device)?)
    }
}

/// One generator per image of a batch, as diffusers takes a list of them: each image gets what it would get alone.
impl Noise for Vec<Generator> {
    fn normal(&mut self, shape: &[usize], dtype: DType, device: &candle_core::Device) -> Result<Tensor> {
        let [batch, image @ ..] = shape else { return Err(wrong_batch(self.len(), shape)) };
        if *batch != self.len() {
            return Err(wrong_batch(self.len(), shape));
        }
        let one: Vec<usize> = std::iter::once(1).chain(image.iter().copied()).collect();
        let drawn = self.iter_mut().map(|g| g.randn(&one, dtype)).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&drawn, 0)?.to_device(device)?)
    }
}

fn wrong_batch(generators: usize, shape: &[usize]) -> ModelError {
    ModelError::Input {
        found: format!("noise of shape {shape:?} from {generators} generators"),
        expected: "one generator per image, the first dimension",
    }
}

/// Noise that was drawn before, given out once each in order: for tests, and for inversion.
#[derive(Clone, Debug)]
pub struct Recorded(std::vec::IntoIter<Tensor>);

impl Recorded {
    /// The tensors in the order in which they will be asked for.
    pub fn new(draws: Vec<Tensor>) -> Self {
        Self(draws.into_iter())
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.0.len()
    }
}

impl Noise for Recorded {
    fn normal(&mut self, shape: &[usize], dtype: DType, device: &candle_core::Device) -> Result<Tensor> {
        let Some(draw) = self.0.next() else {
            return Err(ModelError::Input {
                found: "recorded noise that is used up".to_owned(),
                expected: "one recorded tensor per draw",
            });
        };
        if draw.dims() != shape {
            return Err(ModelError::Input {
                found: format!("recorded noise of shape {:?} for a draw of {shape:?}", draw.dims()),
                expected: "noise of the shape that is drawn",
            });
        }
        Ok(draw.to_dtype(dtype)?.to_device(device)?)
    }
}
