//! The synthetic world tells good optimizers from bad ones, and repeats itself.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_eval::bandit::{CONTEXTS, Condition, Learning, Policy, Run, Settings, World};
use adeval_eval::leaderboard::{
    OptimizerBoard, OptimizerEvidence, Options, optimizers, optimizers_to_markdown, optimizers_to_table,
};
use adeval_sdk::{
    Corruption, LossAndGradient, OptimizerNeeds, PreferenceBatch, SampleEvidence, SampleGradient,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const SEEDS: u64 = 12;
const SETTINGS: Settings = Settings { creatives: 3200, learning_rate: 0.05 };

fn needs(corruptions: Vec<Corruption>) -> OptimizerNeeds {
    OptimizerNeeds { samples_per_product: 2, corruptions }
}

/// Follows a rule that gives a derivative for each sample of a group, the same for its tokens.
fn follow(seed: u64, rule: impl Fn(&[SampleEvidence]) -> Vec<f64>) -> Learning {
    let mut run = Run::new(&SETTINGS, &needs(Vec::new()), seed).unwrap();
    while let Some(batch) = run.sample() {
        run.learn(&gradient(&batch, &rule)).unwrap();
    }
    run.finish()
}

fn gradient(batch: &PreferenceBatch, rule: &impl Fn(&[SampleEvidence]) -> Vec<f64>) -> LossAndGradient {
    let sample = |d: f64| SampleGradient { clean: vec![d; 2], corrupted: Vec::new() };
    let groups = batch.groups.iter().map(|group| rule(group).into_iter().map(sample).collect());
    LossAndGradient { loss: 0.0, groups: groups.collect(), metrics: [].into() }
}

/// The better of two answers up, the other down.
fn preference(group: &[SampleEvidence]) -> Vec<f64> {
    let sign = if group[0].reward > group[1].reward { -1.0 } else { 1.0 };
    vec![sign, -sign]
}

fn mean(of: impl Fn(u64) -> f64) -> f64 {
    (0..SEEDS).map(of).sum::<f64>() / SEEDS as f64
}

#[test]
fn the_truth_is_bounded_by_its_best_and_reached_by_the_best_policy() {
    let world = World::draw(&mut ChaCha8Rng::seed_from_u64(1));
    let policy = Policy::draw(&mut ChaCha8Rng::seed_from_u64(2));
    let started = world.value(|context| policy.probabilities(&Condition::whole(context)));
    assert!(started < world.best());
    let best = |context: usize| {
        let rewards: [f64; 12] = std::array::from_fn(|answer| world.reward(context, answer));
        let most = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        rewards.map(|reward| if reward < most { 0.0 } else { 1.0 })
    };
    assert!((world.value(best) - world.best()).abs() < 1e-12);
}

/// The judge's own error rate: three pairs in four, whatever they are.
#[test]
fn the_judge_orders_three_random_pairs_in_four_rightly() {
    let (mut right, mut all) = (0.0, 0.0);
    for seed in 0..200 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let world = World::draw(&mut random);
        for context in 0..CONTEXTS {
            for answer in 0..11 {
                let truth = world.reward(context, answer) > world.reward(context, answer + 1);
                let said = world.judged(context, answer, &mut random)
                    > world.judged(context, answer + 1, &mut random);
                right += f64::from(u8::from(truth == said));
                all += 1.0;
            }
        }
    }
    let share: f64 = right / all;
    assert!((share - 0.75).abs() < 0.015, "{share}");
}

#[test]
fn what_learns_is_told_from_what_does_not() {
    let learned = mean(|seed| follow(seed, preference).gap_closed);
    assert!(learned > 0.5, "{learned}");
    let regret = mean(|seed| follow(seed, preference).regret);
    assert!(regret < 0.8 && regret > 1.0 - learned, "{regret}");
    let idle = follow(0, |_| vec![0.0; 2]);
    assert_eq!((idle.gap_closed, idle.regret, idle.creatives_to_target), (0.0, 1.0, None));
    assert_eq!((idle.creatives, idle.steps), (3200, 200));
    let backwards = mean(|seed| follow(seed, |g| preference(g).iter().map(|d| -d).collect()).gap_closed);
    assert!(backwards < 0.0, "{backwards}");
    // A sign that ignores the judge wanders.
    let blind = mean(|seed| follow(seed, |_| vec![1.0, -1.0]).gap_closed);
    assert!(blind < 0.3, "{blind}");
}

#[test]
fn a_token_that_is_left_out_costs() {
    let of = |seed, tokens: [f64; 2]| {
        let mut run = Run::new(&SETTINGS, &needs(Vec::new()), seed).unwrap();
        while let Some(batch) = run.sample() {
            let mut reply = gradient(&batch, &preference);
            reply
                .groups
                .iter_mut()
                .flatten()
                .for_each(|g| g.clean.iter_mut().zip(tokens).for_each(|(d, t)| *d *= t));
            run.learn(&reply).unwrap();
        }
        run.finish().gap_closed
    };
    let (whole, first) = (mean(|seed| of(seed, [1.0, 1.0])), mean(|seed| of(seed, [1.0, 0.0])));
    assert!(first < whole - 0.1, "{first} against {whole}");
}

#[test]
fn a_seed_is_a_world_and_runs_repeat() {
    assert_eq!(follow(5, preference), follow(5, preference));
    let first = |seed| Run::new(&SETTINGS, &needs(Vec::new()), seed).unwrap().sample().unwrap();
    assert_eq!(first(5), first(5));
    assert_ne!(first(5), first(6));
}

#[test]
fn corrupted_conditions_are_what_they_say() {
    let whole = Corruption::MaskedImage { patch: 32, share: 0.0 };
    let most = Corruption::MaskedImage { patch: 32, share: 0.75 };
    let wanted = needs(vec![whole, most, Corruption::SwappedText, Corruption::SwappedPair]);
    let batch = Run::new(&SETTINGS, &wanted, 3).unwrap().sample().unwrap();
    batch.validate(&wanted).unwrap();
    for sample in batch.groups.iter().flatten() {
        assert_eq!(sample.corrupted[0], sample.clean, "nothing is masked");
        assert_ne!(sample.corrupted[1], sample.clean);
        assert_ne!(sample.corrupted[2], sample.clean);
        assert_ne!(sample.corrupted[3], sample.clean);
        assert_eq!(sample.sampled, sample.clean.current);
        assert_eq!(sample.clean.current, sample.clean.reference, "before the first step");
    }
    for group in &batch.groups {
        // A swapped pair is one of the other context, the same for all of a context's answers.
        assert!(group.windows(2).all(|two| two[0].corrupted[3] == two[1].corrupted[3]));
    }
}

#[test]
fn what_does_not_fit_is_refused_in_a_sentence() {
    let refused = |settings: Settings, samples| {
        let needs = OptimizerNeeds { samples_per_product: samples, corruptions: Vec::new() };
        Run::new(&settings, &needs, 0).err().unwrap().to_string()
    };
    assert!(refused(SETTINGS, 0).contains("samples_per_product"));
    assert!(refused(SETTINGS, 41).contains("10 steps"));
    assert!(refused(Settings { learning_rate: 0.0, ..SETTINGS }, 2).contains("learning_rate"));
    let mut run = Run::new(&SETTINGS, &needs(Vec::new()), 0).unwrap();
    let batch = run.sample().unwrap();
    let mut reply = gradient(&batch, &preference);
    reply.groups[3].pop();
    assert!(run.learn(&reply).unwrap_err().to_string().contains("gradient has size 1, but 2"));
    reply.groups.pop();
    assert!(run.learn(&reply).is_err());
    let diverged = run.learn(&gradient(&batch, &|_: &[SampleEvidence]| vec![1e200, -1e200])).unwrap_err();
    assert!(diverged.to_string().contains("step 1: the square of the gradient"), "{diverged}");
}

fn board() -> OptimizerBoard {
    let runs = |rule: &dyn Fn(&[SampleEvidence]) -> Vec<f64>| {
        (0..SEEDS).map(|seed| (seed as usize, follow(seed, rule))).collect()
    };
    let of = |id: &str, runs, failures: &[&str]| OptimizerEvidence {
        id: id.into(),
        description: String::new(),
        runs,
        failures: failures.iter().map(|&f| f.to_owned()).collect(),
    };
    let evidence = [
        of("idle", runs(&|_| vec![0.0; 2]), &[]),
        of("twin-b", runs(&preference), &[]),
        of("broken|pipe", [].into(), &["seed 0: it | crashed"]),
        of("twin-a", runs(&preference), &[]),
    ];
    let options = Options { resamples: 500, ..Options::default() };
    optimizers(&evidence, SEEDS as usize, SETTINGS.creatives, &options).unwrap()
}

#[test]
fn equals_share_their_ranks_and_what_failed_has_none() {
    let board = board();
    let ranks: Vec<_> = board
        .rows
        .iter()
        .map(|row| (row.optimizer.as_str(), row.rank.map(|r| (r.best, r.worst)), row.coverage.done))
        .collect();
    let wanted = [
        ("twin-a", Some((1, 2)), 12),
        ("twin-b", Some((1, 2)), 12),
        ("idle", Some((3, 3)), 12),
        ("broken|pipe", None, 0),
    ];
    assert_eq!(ranks, wanted);
    let gap = board.rows[0].cells["gap_closed"];
    assert!(gap.low.unwrap() < gap.value && gap.value < gap.high.unwrap() && gap.n == 12);
    assert!(board.rows[0].cells["worst_seed"].value <= gap.low.unwrap());
    assert_eq!(board.rows[2].cells["creatives_to_target"].value, 3200.0);
    assert_eq!(board.pairwise.len(), 3);
}

#[test]
fn both_renderings_say_that_the_world_is_synthetic_and_show_times() {
    let board = board().with_times(&[("twin-a".to_owned(), 0.123_45)].into());
    let markdown = optimizers_to_markdown(&board);
    assert!(markdown.starts_with("# Optimizers (synthetic world)\n"), "{markdown}");
    assert!(markdown.contains("| - | broken\\|pipe | - | - | - | - | - | 0/12, 1 failure |"), "{markdown}");
    assert!(markdown.contains("No product, no creative and no click") && markdown.contains("0.1235"));
    assert!(markdown.contains("broken\\|pipe: seed 0: it \\| crashed"));
    let table = optimizers_to_table(&board, 100, false);
    assert!(table.starts_with("Optimizers (synthetic world)\n") && table.contains("12/12"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
}

#[test]
fn evidence_that_cannot_be_is_named() {
    let good = follow(0, preference);
    let refused = |evidence: &[OptimizerEvidence]| {
        optimizers(evidence, 2, 3200, &Options::default()).unwrap_err().to_string()
    };
    let one = |runs: &[(usize, Learning)]| OptimizerEvidence {
        id: "a".into(),
        runs: runs.iter().copied().collect(),
        ..OptimizerEvidence::default()
    };
    assert!(refused(&[one(&[(2, good)])]).contains("optimizer \"a\", seed 2"));
    assert!(refused(&[one(&[(0, good)]), one(&[])]).contains("occurs more than once"));
    let bad = Learning { gap_closed: f64::NAN, ..good };
    assert!(refused(&[one(&[(1, bad)])]).contains("gap_closed is NaN"));
}
