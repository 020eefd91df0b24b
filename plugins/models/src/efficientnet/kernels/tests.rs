//! The kernels against the definition of a convolution, on every instruction set of this machine.

use super::*;

/// Reproducible values in -1..1.
fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= 1e-5 * (1.0 + e.abs()), "element {at}: {f} for {e}");
    }
}

#[test]
fn pointwise_is_a_matrix_product_on_every_instruction_set() {
    // Pixel counts that leave every remainder of the tiles; channels that are no multiple of a lane.
    for (pixels, input, output) in [(1, 3, 5), (13, 27, 32), (31, 40, 24), (49, 1152, 20), (26, 16, 33)] {
        let (x, w) = (values(pixels * input, 1), values(input * output, 2));
        let (bias, shortcut) = (values(output, 3), values(pixels * output, 4));
        let mut expected = Vec::new();
        for pixel in x.chunks_exact(input) {
            for (row, b) in w.chunks_exact(input).zip(&bias) {
                let sum: f64 = pixel.iter().zip(row).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                expected.push((sum + f64::from(*b)) as f32);
            }
        }
        for set in Set::available() {
            let conv = Pointwise { set, ..Pointwise::new(&w, &bias, input, output) };
            let mut out = vec![0.0; pixels * output];
            conv.run(&x, &mut out, Finish::Linear);
            close(&out, &expected);
            conv.run(&x, &mut out, Finish::Relu6);
            close(&out, &expected.iter().map(|v| v.clamp(0.0, 6.0)).collect::<Vec<_>>());
            conv.run(&x, &mut out, Finish::Add(&shortcut));
            close(&out, &expected.iter().zip(&shortcut).map(|(a, b)| a + b).collect::<Vec<_>>());
        }
    }
}

#[test]
fn depthwise_is_a_same_padded_convolution_on_every_instruction_set() {
    for (side, kernel, stride) in
        [(7, 3, 1), (9, 5, 1), (14, 5, 2), (15, 3, 2), (112, 3, 2), (3, 5, 1), (2, 5, 2)]
    {
        let channels = 32;
        let (x, w) = (values(side * side * channels, 5), values(channels * kernel * kernel, 6));
        let bias = values(channels, 7);
        let expected = direct(&x, side, &w, &bias, kernel, stride);
        for set in Set::available() {
            let conv = Depthwise { set, ..Depthwise::new(&w, &bias, kernel, stride, channels) };
            let mut out = vec![0.0; expected.len()];
            conv.run(&x, side, &mut out);
            close(&out, &expected);
        }
    }
}

fn direct(x: &[f32], side: usize, w: &[f32], bias: &[f32], kernel: usize, stride: usize) -> Vec<f32> {
    let channels = bias.len();
    let (out_side, before, _) = same_padding(side, kernel, stride);
    let mut out = Vec::new();
    for at in 0..out_side * out_side * channels {
        let (oy, ox, c) = (at / channels / out_side, at / channels % out_side, at % channels);
        let mut sum = f64::from(bias[c]);
        for tap in 0..kernel * kernel {
            let y = (oy * stride + tap / kernel).wrapping_sub(before);
            let column = (ox * stride + tap % kernel).wrapping_sub(before);
            if y < side && column < side {
                let value = x[(y * side + column) * channels + c];
                sum += f64::from(value) * f64::from(w[c * kernel * kernel + tap]);
            }
        }
        out.push((sum as f32).clamp(0.0, 6.0));
    }
    out
}
