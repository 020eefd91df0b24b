//! `torch.Generator` against goldens of torch 2.15 (`fixtures/scripts/goldens_sd_numerics.py`).

mod support;

use std::collections::HashMap;

use adeval_models::torch_rng::{Card, CpuGenerator, CudaGenerator, Generator, Noise, Recorded};
use candle_core::{DType, Device, Tensor};
use support::{Parity, golden};

const PARITY: Parity = Parity::new("torch-rng", "torch 2.15.0");
/// There is no card where the goldens are made.
const CUDA: Parity = Parity::new("torch-rng", "numpy reproduction of torch's CUDA stream");
const CARDS: Parity = Parity::new("torch-rng", "torch on CUDA cards, as published");
const SEED: u64 = 1234;

type Goldens = HashMap<String, Tensor>;

fn goldens() -> Goldens {
    golden("sd/numerics_rng.safetensors")
}

fn as_f64(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).and_then(|t| t.flatten_all()?.to_vec1()).expect("numbers")
}

/// Notes the share of values that differ at all, and fails on any.
fn same_bits(name: &str, found: &[f64], goldens: &Goldens) {
    let expected = as_f64(&goldens[name]);
    assert_eq!(found.len(), expected.len(), "{name}: length");
    let other = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
    let table = if name.starts_with("cuda") { CUDA } else { PARITY };
    table.number(name, "share of values that differ", other as f64 / found.len() as f64, 0.0);
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// One generator through every kind of draw: an error in one would shift all that follow.
#[test]
fn cpu_stream_is_torchs_over_mixed_calls() {
    let goldens = goldens();
    let mut g = CpuGenerator::new(SEED);
    let uniform = |g: &mut CpuGenerator, n: usize| {
        let mut out = vec![0.0; n];
        g.rand_f32(&mut out);
        widened(&out)
    };
    let normal = |g: &mut CpuGenerator, n: usize| {
        let mut out = vec![0.0; n];
        g.randn_f32(&mut out);
        widened(&out)
    };
    let normal_64 = |g: &mut CpuGenerator, n: usize| {
        let mut out = vec![0.0; n];
        g.randn_f64(&mut out);
        out
    };
    let whole = |g: &mut CpuGenerator, range: std::ops::Range<i64>, n: usize| {
        let mut out = vec![0; n];
        g.randint(range, &mut out).expect("a range");
        out.iter().map(|v| *v as f64).collect::<Vec<_>>()
    };

    same_bits("cpu.rand", &uniform(&mut g, 1000), &goldens);
    let mut doubles = vec![0.0; 101];
    g.rand_f64(&mut doubles);
    same_bits("cpu.rand64", &doubles, &goldens);
    same_bits("cpu.randn3", &normal(&mut g, 3), &goldens);
    same_bits("cpu.randn16", &normal(&mut g, 16), &goldens);
    same_bits("cpu.randn2", &normal(&mut g, 2), &goldens);
    same_bits("cpu.randn15_64", &normal_64(&mut g, 15), &goldens);
    same_bits("cpu.randn17", &normal(&mut g, 17), &goldens);
    same_bits("cpu.randn999_64", &normal_64(&mut g, 999), &goldens);
    same_bits("cpu.randint", &whole(&mut g, -5..1000, 100), &goldens);
    same_bits("cpu.randint_wide", &whole(&mut g, -(1 << 40)..1 << 41, 50), &goldens);
    same_bits("cpu.randint_edge", &whole(&mut g, 0..1 << 28, 20), &goldens);
    let order = g.randperm(257).expect("a short permutation");
    same_bits("cpu.randperm", &order.iter().map(|v| *v as f64).collect::<Vec<_>>(), &goldens);

    let mut g = Generator::Cpu(g);
    let mut draw = |name: &str, shape: &[usize], dtype| {
        let drawn = g.randn(shape, dtype).expect("a draw");
        assert_eq!((drawn.dims(), drawn.dtype()), (shape, dtype));
        same_bits(name, &as_f64(&drawn), &goldens);
    };
    draw("cpu.half5", &[5], DType::F16);
    draw("cpu.half37", &[37], DType::F16);
    draw("cpu.bf37", &[37], DType::BF16);
    draw("cpu.latents", &[1, 4, 33, 37], DType::F32);
    let end = g.rand(&[1], DType::F32).expect("a draw");
    same_bits("cpu.end", &as_f64(&end), &goldens);
}

#[test]
fn cpu_engine_sees_32_bits_of_the_seed() {
    let drawn = Generator::cpu((1 << 40) + 7).randn(&[1, 4, 8, 8], DType::F32).expect("a draw");
    same_bits("cpu.long_seed", &as_f64(&drawn), &goldens());
    let short = Generator::cpu(7).randn(&[1, 4, 8, 8], DType::F32).expect("a draw");
    assert_eq!(as_f64(&drawn), as_f64(&short));
}

#[test]
fn manual_seed_begins_anew_and_drops_the_value_that_waits() {
    let mut g = Generator::cpu(3);
    let first = as_f64(&g.randn(&[3], DType::F32).expect("a draw"));
    g.manual_seed(3);
    assert_eq!(as_f64(&g.randn(&[3], DType::F32).expect("a draw")), first);
}

fn cuda(g: &mut CudaGenerator, count: usize, normal: bool) -> Tensor {
    let mut out = vec![0.0; count];
    if normal {
        g.randn_f32(&mut out)
    } else {
        g.rand_f32(&mut out)
    }
    Tensor::new(out, &Device::Cpu).expect("values")
}

/// The numpy reproduction rounds where a card rounds, and both sides use exact functions.
#[test]
fn cuda_stream_is_that_of_the_reproduction() {
    let goldens = goldens();
    let check = |name: &str, found: &Tensor| CUDA.relative(name, found, &goldens[name], 2e-7);
    let mut g = CudaGenerator::on((1 << 33) + 5, Card::default());
    check("cuda.latents", &cuda(&mut g, 4 * 9 * 9, true));
    assert_eq!(g.offset(), 4);
    same_bits("cuda.rand", &as_f64(&cuda(&mut g, 300, false)), &goldens);
    check("cuda.next", &cuda(&mut g, 10, true));

    // More values than threads: each thread gives several, in rounds of four.
    let mut small = CudaGenerator::on(9, Card { multiprocessors: 1, threads: 512 });
    check("cuda.small_card", &cuda(&mut small, 3000, true));
    assert_eq!(small.offset(), 8);
    same_bits("cuda.small_card_rand", &as_f64(&cuda(&mut small, 2500, false)), &goldens);
    check("cuda.small_card_next", &cuda(&mut small, 5, true));
}

/// `torch.randn(2, 3, device="cuda")` after `torch.manual_seed(0)`, as many pages show it.
#[test]
fn cuda_stream_of_seed_0_is_the_one_that_cards_give() {
    let drawn = as_f64(&Generator::cuda(0).randn(&[2, 3], DType::F32).expect("a draw"));
    let shown = [-0.9247, -0.4253, -2.6438, 0.1452, -0.1209, -0.5797];
    let worst = drawn.iter().zip(shown).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    CARDS.number("randn(2, 3), seed 0, 4 digits", "max absolute", worst, 5.1e-5);
}

#[test]
fn a_batch_of_generators_gives_each_image_what_it_gets_alone() {
    let mut batch = vec![Generator::cpu(1), Generator::cpu(2)];
    let drawn = batch.normal(&[2, 4, 3, 3], DType::F32, &Device::Cpu).expect("noise");
    for (index, seed) in [(0, 1), (1, 2)] {
        let alone = Generator::cpu(seed).randn(&[1, 4, 3, 3], DType::F32).expect("a draw");
        assert_eq!(as_f64(&drawn.narrow(0, index, 1).expect("an image")), as_f64(&alone));
    }
    let error = batch.normal(&[3, 4], DType::F32, &Device::Cpu).expect_err("two generators for three images");
    assert!(error.to_string().contains("[3, 4] from 2 generators"), "{error}");
}

#[test]
fn recorded_noise_comes_once_and_in_the_shape_asked_for() {
    let draw = Tensor::ones((1, 2), DType::F32, &Device::Cpu).expect("a tensor");
    let mut noise = Recorded::new(vec![draw.clone(), draw]);
    noise.normal(&[1, 2], DType::F32, &Device::Cpu).expect("the first");
    let error = noise.normal(&[2, 2], DType::F32, &Device::Cpu).expect_err("another shape");
    assert!(error.to_string().contains("[1, 2] for a draw of [2, 2]"), "{error}");
    let error = noise.normal(&[1, 2], DType::F32, &Device::Cpu).expect_err("nothing is left");
    assert!(error.to_string().contains("used up"), "{error}");
}

#[test]
fn draws_that_do_not_exist_are_refused() {
    let error = Generator::cuda(1).randn(&[2], DType::F64).expect_err("cuRAND's f64 is not reproduced");
    assert!(error.to_string().contains("F64"), "{error}");
    let error = CpuGenerator::new(1).randint(3..3, &mut [0]).expect_err("an empty range");
    assert!(error.to_string().contains("3..3"), "{error}");
}
