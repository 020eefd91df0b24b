use candle_core::{Device, Tensor};
use candle_nn::Module;

use super::simd::Set;
use super::{attention, causal, conv, linear, math, norm};

/// Numbers between -1 and 1 from a linear congruence.
fn numbers(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).expect("as many values as the shape says")
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("float32")
}

fn near(found: &[f32], expected: &[f32], limit: f32, case: &str) {
    assert_eq!(found.len(), expected.len(), "{case}");
    let largest = expected.iter().fold(1e-20f32, |m, v| m.max(v.abs()));
    let worst = found.iter().zip(expected).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst <= limit * largest, "{case}: {worst:e} of {largest:e}");
}

#[test]
fn convolutions_are_those_of_candle() {
    for set in Set::available() {
        for (inputs, outputs, height, width, kernel, stride, padding) in [
            (3, 4, 9, 7, [3, 3], 1, [1, 1]),
            (40, 33, 17, 23, [3, 3], 1, [1, 1]),
            (70, 11, 1, 1, [3, 3], 1, [1, 1]),
            (5, 20, 16, 40, [3, 3], 2, [1, 1]),
            (33, 7, 13, 9, [1, 1], 1, [0, 0]),
            (4, 6, 8, 8, [3, 3], 2, [0, 0]),
            (2, 500, 3, 3, [3, 3], 1, [1, 1]),
            (3, 2, 5, 6, [5, 5], 1, [2, 2]),
            (6, 9, 8, 11, [1, 7], 1, [0, 3]),
            (6, 9, 8, 11, [7, 1], 1, [3, 0]),
            (3, 8, 31, 20, [11, 11], 4, [2, 2]),
        ] {
            let shape = conv::Shape { batch: 2, inputs, outputs, height, width, kernel, stride, padding };
            let x = numbers(1, 2 * inputs * height * width);
            let weight = numbers(2, outputs * inputs * kernel[0] * kernel[1]);
            let bias = numbers(3, outputs);
            let found = conv::conv2d(set, shape, &x, &weight, &bias);
            let expected = tensor(&x, &[2, inputs, height, width])
                .pad_with_zeros(2, padding[0], padding[0])
                .and_then(|t| t.pad_with_zeros(3, padding[1], padding[1]))
                .and_then(|t| {
                    t.conv2d(&tensor(&weight, &[outputs, inputs, kernel[0], kernel[1]]), 0, stride, 1, 1)
                })
                .and_then(|t| t.broadcast_add(&tensor(&bias, &[1, outputs, 1, 1])))
                .expect("candle's convolution");
            near(&found, &values(&expected), 2e-6, &format!("{set:?} {shape:?}"));
        }
    }
}

#[test]
fn linear_layers_are_those_of_candle() {
    for (rows, inputs, outputs) in [(1, 5, 3), (7, 300, 70), (500, 32, 96), (2, 1, 33), (250, 257, 31)] {
        let (x, weight, bias) =
            (numbers(1, rows * inputs), numbers(2, inputs * outputs), numbers(3, outputs));
        for bias in [None, Some(bias)] {
            let layer = candle_nn::Linear::new(
                tensor(&weight, &[outputs, inputs]),
                bias.as_ref().map(|b| tensor(b, &[outputs])),
            );
            let expected = layer.forward(&tensor(&x, &[rows, inputs])).expect("candle's product");
            let Some(packed) = linear::Packed::new(&weight, bias, inputs, outputs) else { return };
            near(&packed.run(&x), &values(&expected), 2e-6, &format!("{rows} {inputs} {outputs}"));
        }
    }
}

#[test]
fn linear_layers_go_back_and_are_read_again() {
    for (rows, inputs, outputs) in [(1, 5, 3), (7, 300, 70), (500, 32, 96), (2, 1, 33), (11, 257, 531)] {
        let (grad, weight) = (numbers(1, rows * outputs), numbers(2, inputs * outputs));
        let Some(packed) = linear::Packed::new(&weight, None, inputs, outputs) else { return };
        let expected = tensor(&grad, &[rows, outputs]).matmul(&tensor(&weight, &[outputs, inputs]));
        let expected = values(&expected.expect("candle's product"));
        near(&packed.run_back(&grad), &expected, 2e-6, &format!("{rows} {inputs} {outputs}"));
        assert_eq!(packed.unpacked(), weight);
        let last = packed.row(outputs - 1).collect::<Vec<_>>();
        assert_eq!(last, weight[(outputs - 1) * inputs..]);
    }
}

#[test]
fn causal_attention_sees_what_it_may() {
    for set in Set::available() {
        for (queries, past, kv_heads, group, head, window) in [
            (1, 0, 1, 1, 2, None),
            (40, 0, 2, 3, 8, None),
            (5, 290, 2, 2, 40, None),
            (1, 700, 1, 4, 64, Some(300)),
            (90, 33, 3, 1, 96, Some(7)),
            (130, 0, 1, 70, 4, Some(1)),
        ] {
            let (heads, room) = (kv_heads * group, past + queries + 9);
            let shape = causal::Shape { batch: 3, queries, past, room, heads, kv_heads, head, window };
            let starts = [0, (past + queries) / 2, past + queries - 1];
            let of =
                |seed, count: usize| numbers(seed, 3 * count).iter().map(|v| v * 3.0).collect::<Vec<_>>();
            let query = of(1, queries * heads * head);
            let (key, value) = (of(2, room * kv_heads * head), of(3, room * kv_heads * head));
            let found = causal::attend(set, shape, &starts, &query, &key, &value);
            let expected = causal_reference(shape, &starts, &query, &key, &value);
            near(&found, &expected, 3e-6, &format!("{set:?} {shape:?}"));
        }
    }
}

/// In float64, one score after the other; zeros for queries that see nothing.
fn causal_reference(
    shape: causal::Shape,
    starts: &[usize],
    query: &[f32],
    key: &[f32],
    value: &[f32],
) -> Vec<f32> {
    let causal::Shape { queries, past, room, heads, kv_heads, head, window, .. } = shape;
    let mut out = vec![0f32; query.len()];
    for at in 0..starts.len() * queries * heads {
        let (sample, t, h) = (at / heads / queries, at / heads % queries, at % heads);
        let end = past + t + 1;
        let seen = starts[sample].max(window.map_or(0, |w| end.saturating_sub(w)))..end;
        let place = |token: usize| ((sample * room + token) * kv_heads + h / (heads / kv_heads)) * head;
        let row =
            |of: &[f32], from: usize| of[from..from + head].iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let mine = row(query, at * head);
        let scores = seen.clone().map(|token| {
            let dot: f64 = mine.iter().zip(row(key, place(token))).map(|(a, b)| a * b).sum();
            (dot / (head as f64).sqrt()).exp()
        });
        let weights: Vec<f64> = scores.collect();
        let total: f64 = weights.iter().sum();
        for d in 0..head {
            let sum: f64 = seen.clone().zip(&weights).map(|(token, w)| w * row(value, place(token))[d]).sum();
            out[at * head + d] = if total > 0.0 { (sum / total) as f32 } else { 0.0 };
        }
    }
    out
}

#[test]
fn attention_is_softmax_of_scores_times_values() {
    for set in Set::available() {
        for (queries, keys, heads, head) in [(1, 1, 1, 1), (33, 77, 2, 40), (64, 300, 3, 8), (40, 5, 1, 160)]
        {
            let width = heads * head;
            let shape = attention::Shape { batch: 2, queries, keys, width, heads };
            let of = |seed, rows: usize| {
                numbers(seed, 2 * rows * width).iter().map(|v| v * 3.0).collect::<Vec<_>>()
            };
            let (query, key, value) = (of(1, queries), of(2, keys), of(3, keys));
            let found = attention::attend(set, shape, &query, &key, &value);
            let expected = reference(shape, &query, &key, &value);
            near(&found, &expected, 2e-6, &format!("{set:?} {shape:?}"));
        }
    }
}

/// In float64, one score after the other.
fn reference(shape: attention::Shape, query: &[f32], key: &[f32], value: &[f32]) -> Vec<f32> {
    let attention::Shape { batch, queries, keys, width, heads } = shape;
    let head = width / heads;
    let mut out = vec![0f32; query.len()];
    for at in 0..batch * queries * heads {
        let (sample, q, h) = (at / heads / queries, at / heads % queries, at % heads);
        let row = |of: &[f32], r: usize| -> Vec<f64> {
            of[r * width + h * head..][..head].iter().map(|v| f64::from(*v)).collect()
        };
        let mine = row(query, sample * queries + q);
        let dot = |k| mine.iter().zip(row(key, sample * keys + k)).map(|(a, b)| a * b).sum::<f64>();
        let scores: Vec<f64> = (0..keys).map(|k| dot(k) / (head as f64).sqrt()).collect();
        let largest = scores.iter().fold(f64::NEG_INFINITY, |m, s| m.max(*s));
        let weights: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
        let total: f64 = weights.iter().sum();
        for d in 0..head {
            let sum: f64 =
                weights.iter().enumerate().map(|(k, w)| w * row(value, sample * keys + k)[d]).sum();
            out[(sample * queries + q) * width + h * head + d] = (sum / total) as f32;
        }
    }
    out
}

#[test]
fn elementary_functions_are_exact_to_the_last_digits() {
    for i in -4_000_000..4_000_000 {
        let x = i as f32 * 2.3e-5;
        let exact = f64::from(x).exp();
        let error = (f64::from(math::exp(x)) - exact).abs() / exact;
        assert!(error < 2e-7 || !(-87.0..=88.0).contains(&x), "exp({x}): {error:e}");
        // The series of erf, which converges fast where float32 does not round to 1.
        let z = i as f32 * 1e-6;
        let error = (f64::from(math::erf(z)) - erf(f64::from(z))).abs();
        assert!(error < 1.5e-7 * f64::from(z.abs()).clamp(1e-30, 1.0), "erf({z}): {error:e}");
    }
    assert_eq!(math::exp(-200.0), 0.0);
    assert_eq!(math::exp(f32::NEG_INFINITY), 0.0);
    assert_eq!(math::erf(9.0), 1.0);
    assert_eq!(math::gelu(0.0), 0.0);
}

/// 2 / sqrt(pi) e^(-x^2) sum of 2^n x^(2n+1) / (1 3 5 .. 2n+1).
fn erf(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 0);
    while term.abs() > 1e-17 * sum.abs() {
        n += 1;
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[test]
fn norms_are_those_of_candle() {
    let Some(set) = Set::best() else { return };
    let (channels, groups, pixels) = (12, 4, 1501);
    // An offset makes a variance that is computed carelessly wrong.
    let x: Vec<f32> = numbers(1, 2 * channels * pixels).iter().map(|v| v + 30.0).collect();
    let (weight, bias) = (numbers(2, channels), numbers(3, channels));
    let picture = tensor(&x, &[2, channels, pixels, 1]);
    let reference = candle_nn::GroupNorm::new(
        tensor(&weight, &[channels]),
        tensor(&bias, &[channels]),
        channels,
        groups,
        1e-5,
    )
    .and_then(|n| n.forward(&picture))
    .expect("candle's norm");
    for activate in [false, true] {
        let found = norm::GroupNorm { groups, eps: 1e-5, weight: &weight, bias: &bias, activate }
            .run(set, &x, pixels);
        let expected = if activate { reference.silu().expect("SiLU") } else { reference.clone() };
        near(&found, &values(&expected), 2e-5, "group norm");
    }
    let (rows, width) = (50, 321);
    let x = numbers(4, rows * width);
    let (weight, bias) = (numbers(5, width), numbers(6, width));
    let layer = candle_nn::LayerNorm::new(tensor(&weight, &[width]), tensor(&bias, &[width]), 1e-5);
    let expected = layer.forward(&tensor(&x, &[rows, width])).expect("candle's norm");
    near(&norm::layer_norm(set, &x, &weight, &bias, 1e-5), &values(&expected), 2e-6, "layer norm");
    let (rows_of, scale) = (tensor(&x, &[rows, width]), tensor(&weight, &[width]));
    let expected = candle_nn::ops::rms_norm_slow(&rows_of, &scale, 1e-5).expect("candle's norm");
    near(&norm::rms_norm(set, &x, &weight, 1e-5), &values(&expected), 2e-6, "root-mean-square norm");
}

#[test]
fn activations_are_those_of_candle() {
    let Some(set) = Set::best() else { return };
    let x: Vec<f32> = numbers(1, 20_000).iter().map(|v| v * 8.0).collect();
    let expected = tensor(&x, &[20_000]).silu().expect("SiLU");
    near(&math::silu_all(set, &x), &values(&expected), 1e-6, "silu");
    let rows = tensor(&x, &[100, 200]).chunk(2, 1).expect("halves");
    let expected = rows[1].gelu_erf().and_then(|g| &rows[0] * g).expect("GEGLU");
    near(&math::geglu(set, &x, 100), &values(&expected), 1e-6, "geglu");
    let (gate, up) = x.split_at(10_000);
    let expected = tensor(gate, &[10_000]).silu().and_then(|g| g * tensor(up, &[10_000])).expect("SwiGLU");
    near(&math::swiglu(set, gate, up), &values(&expected), 1e-6, "swiglu");
}
