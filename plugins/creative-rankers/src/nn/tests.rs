//! Every operation's way back, in `f64`, against central differences of its way there.

use super::*;

/// A number in (-1, 1) by formula.
fn number(at: usize) -> f64 {
    ((at as f64 + 1.0) * 12.9898).sin()
}

/// Derivatives by formula, none of which vanishes by symmetry.
fn derivatives(count: usize) -> Vec<f64> {
    (0..count).map(|at| number(at + 77)).collect()
}

/// Compares the gradient by all weights with differences; gives the number of weights whose derivative is not 0.
fn check(layout: &Layout, pass: impl Fn(&mut Tape<'_, f64>) -> Value, dropout: Option<u64>) -> usize {
    let weights: Vec<f64> = (0..layout.len()).map(|at| 0.7 * number(at) + 0.1).collect();
    let at = |weights: &[f64]| {
        let mut tape = Tape::new(weights, dropout);
        let value = pass(&mut tape);
        let value = tape.get(value);
        value.iter().zip(derivatives(value.len())).map(|(v, by)| v * by).sum::<f64>()
    };
    let mut tape = Tape::new(&weights, dropout);
    let value = pass(&mut tape);
    let by = derivatives(tape.get(value).len());
    let mut gradient = vec![0.0; weights.len()];
    tape.backward(&[(value, &by)], &mut gradient);
    let h = 1e-5;
    for (index, found) in gradient.iter().enumerate() {
        let mut moved = weights.clone();
        moved[index] += h;
        let up = at(&moved);
        moved[index] -= 2.0 * h;
        let wanted = (up - at(&moved)) / (2.0 * h);
        assert!(
            (found - wanted).abs() < 1e-8 * (1.0 + wanted.abs()),
            "weight {index}: {found}, not {wanted}"
        );
    }
    gradient.iter().filter(|g| g.abs() > 1e-9).count()
}

fn input(tape: &mut Tape<'_, f64>, count: usize) -> Value {
    tape.input((0..count).map(|at| number(3 * at + 5)))
}

#[test]
fn linear_layers_and_gelu() {
    let mut layout = Layout::default();
    let (first, second) = (layout.linear("a", 19, 7), layout.unbiased("b", 7, 3));
    let pass = |tape: &mut Tape<'_, f64>| {
        let x = input(tape, 2 * 19);
        let x = tape.linear(x, first);
        let x = tape.gelu(x);
        tape.linear(x, second)
    };
    assert_eq!(check(&layout, pass, None), layout.len());
}

#[test]
fn convolutions_relu_and_means() {
    let mut layout = Layout::default();
    let (first, second) = (layout.conv("a", 2, 5), layout.conv("b", 5, 3));
    let pass = |tape: &mut Tape<'_, f64>| {
        let x = input(tape, 2 * 8 * 8);
        let x = tape.conv(x, first, 8);
        let x = tape.relu(x);
        let x = tape.conv(x, second, 4);
        tape.mean(x, 3)
    };
    assert!(check(&layout, pass, None) > layout.len() * 9 / 10);
}

#[test]
fn norms_sums_and_dropout() {
    let mut layout = Layout::default();
    let (linear, norm) = (layout.linear("a", 6, 6), layout.norm("b", 6));
    let pass = |tape: &mut Tape<'_, f64>| {
        let x = input(tape, 3 * 6);
        let y = tape.linear(x, linear);
        let y = tape.dropout(y, 0.3);
        let sum = tape.add(x, y);
        tape.norm(sum, norm, 6)
    };
    assert!(check(&layout, pass, Some(3)) > layout.len() / 2);
}

#[test]
fn attention_of_rows_to_each_other() {
    let mut layout = Layout::default();
    let [query, key, value] = ["q", "k", "v"].map(|name| layout.linear(name, 8, 8));
    let pass = |tape: &mut Tape<'_, f64>| {
        let x = input(tape, 3 * 8);
        let looks = [query, key, value].map(|layer| tape.linear(x, layer));
        tape.attention(looks, 8, 2)
    };
    // All but the keys' biases, which the softmax does not see.
    assert_eq!(check(&layout, pass, None), layout.len() - 8);
}

#[test]
fn bags_and_concatenations() {
    let mut layout = Layout::default();
    let (table, linear) = (layout.table("t", 5, 4), layout.linear("a", 8, 2));
    let pass = |tape: &mut Tape<'_, f64>| {
        let parts = [tape.bag(table, 4, &[0, 3, 3]), tape.bag(table, 4, &[1])];
        let x = tape.concat(&parts);
        tape.linear(x, linear)
    };
    // Rows 2 and 4 are in no bag.
    assert_eq!(check(&layout, pass, None), layout.len() - 8);
}

#[test]
fn a_bag_of_nothing_is_zero() {
    let mut layout = Layout::default();
    let table = layout.table("t", 5, 4);
    let weights = layout.initial(1);
    let mut tape = Tape::new(&weights, None);
    let bag = tape.bag(table, 4, &[]);
    assert_eq!(tape.get(bag), [0.0; 4]);
}

#[test]
fn convolution_is_the_textbook_sum() {
    let mut layout = Layout::default();
    let conv = layout.conv("a", 2, 3);
    let weights: Vec<f64> = (0..layout.len()).map(number).collect();
    let picture: Vec<f64> = (0..2 * 6 * 6).map(|at| number(at + 9)).collect();
    let mut tape = Tape::new(&weights, None);
    let x = tape.input(picture.iter().copied());
    let out = tape.conv(x, conv, 6);
    for (o, y, x) in (0..3).flat_map(|o| (0..9).map(move |p| (o, p / 3, p % 3))) {
        let mut sum = weights[54 + o];
        for (c, i, j) in (0..2).flat_map(|c| (0..9).map(move |t| (c, t / 3, t % 3))) {
            let (v, u) = ((2 * y + i) as isize - 1, (2 * x + j) as isize - 1);
            if (0..6).contains(&v) && (0..6).contains(&u) {
                sum +=
                    weights[((o * 3 + i) * 3 + j) * 2 + c] * picture[(v as usize * 6 + u as usize) * 2 + c];
            }
        }
        let found = tape.get(out)[(y * 3 + x) * 3 + o];
        assert!((found - sum).abs() < 1e-12, "{o} {y} {x}: {found}, not {sum}");
    }
}

#[test]
fn dropout_keeps_the_mean_and_comes_from_its_seed() {
    let layout = Layout::default();
    let weights = layout.initial(0);
    let dropped = |seed: Option<u64>| {
        let mut tape = Tape::<f32>::new(&weights, seed);
        let x = tape.input(std::iter::repeat_n(1.0, 10_000));
        let x = tape.dropout(x, 0.25);
        tape.get(x).to_vec()
    };
    assert_eq!(dropped(Some(1)), dropped(Some(1)));
    assert_ne!(dropped(Some(1)), dropped(Some(2)));
    assert_eq!(dropped(None), vec![1.0; 10_000]);
    let out = dropped(Some(1));
    let zeros = out.iter().filter(|v| **v == 0.0).count();
    assert!((2300..2700).contains(&zeros), "{zeros} of 10000 were left out at 0.25");
    let mean = out.iter().sum::<f32>() / 10_000.0;
    assert!((mean - 1.0).abs() < 0.03, "{mean}");
}

#[test]
fn weights_begin_the_same_for_a_seed_and_within_their_bounds() {
    let mut layout = Layout::default();
    let linear = layout.linear("a", 100, 50);
    let first = layout.initial(5);
    assert_eq!(first, layout.initial(5));
    assert_ne!(first, layout.initial(6));
    let weights = &first[linear.weight.range()];
    assert!(weights.iter().all(|w| w.abs() <= 0.1));
    let variance = weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / weights.len() as f64;
    assert!((variance - 0.01 / 3.0).abs() < 2e-4, "{variance}");
    // What follows does not change what is before.
    let _ = layout.linear("b", 3, 3);
    assert_eq!(layout.initial(5)[..first.len()], first);
}
