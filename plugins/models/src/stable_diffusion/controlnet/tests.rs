use super::*;

#[test]
fn a_step_counts_if_all_of_it_lies_within_the_fractions() {
    let steps = |start, end| (0..10).filter(|i| acts(*i, 10, start, end)).collect::<Vec<_>>();
    assert_eq!(steps(0.0, 1.0), (0..10).collect::<Vec<_>>());
    assert_eq!(steps(0.0, 0.5), [0, 1, 2, 3, 4]);
    assert_eq!(steps(0.25, 0.85), [3, 4, 5, 6, 7]);
    assert_eq!(steps(0.5, 0.5), [] as [usize; 0]);
}

#[test]
fn guess_mode_grows_from_a_tenth_to_the_whole() {
    let scales = guess_scales(12);
    assert_eq!(scales.len(), 13);
    assert!((scales[0] - 0.1).abs() < 1e-8 && scales[12] == 1.0, "{scales:?}");
    assert!((scales[6] - 0.1f64.sqrt()).abs() < 1e-7, "{scales:?}");
}
