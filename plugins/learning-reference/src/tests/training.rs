//! A policy learns, as a trainer has it: sample, reward, gradient, step.

use super::*;
use crate::{CategoricalParameters, CategoricalPrompt, TEMPLATES};

/// Users of this toy world like velvet.
fn reward(text: &str) -> f64 {
    f64::from(u8::from(text.contains("velvet")))
}

fn probability_of_velvet(policy: &CategoricalPrompt, product: &Product) -> f64 {
    let tokens = (0..TEMPLATES.len()).filter(|&k| reward(TEMPLATES[k]) > 0.0);
    let answers: Vec<_> =
        tokens.map(|k| ConditionedAnswer { condition: product.clone(), tokens: vec![k as u32] }).collect();
    policy.log_probs(Policy::Current, &answers, &cx()).unwrap().iter().map(|p| p[0].exp()).sum()
}

fn products() -> Vec<Product> {
    vec![
        product("Red Lamp", "Lighting", [200, 30, 20]),
        product("Green Chair", "Seating", [20, 120, 40]),
        product("Blue Kettle", "Kitchen", [30, 60, 190]),
        product("Oak Table", "Tables", [150, 110, 60]),
    ]
}

/// Trains for `steps` steps by the plain policy gradient: the mean reward of a group is its baseline.
fn train(steps: u64) -> CategoricalPrompt {
    let mut policy = CategoricalPrompt::create(CategoricalParameters::default(), &environment()).unwrap();
    for step in 0..steps {
        let mut items = Vec::new();
        for product in products() {
            let seed = rng::derive(step, &[&product.id]);
            let request = PromptRequest { samples: 8, ..PromptRequest::new(product.clone(), seed) };
            let samples = policy.generate(&request, &cx()).unwrap();
            let mean = samples.iter().map(|s| reward(&s.text)).sum::<f64>() / samples.len() as f64;
            items.extend(samples.into_iter().map(|s| AnswerGradient {
                loss_by_log_prob: vec![mean - reward(&s.text)],
                answer: ConditionedAnswer { condition: product.clone(), tokens: s.tokens },
            }));
        }
        policy.accumulate_gradient(&items, &whole(), &cx()).unwrap();
        policy.step(&TrainingOptions::new(0.1), &cx()).unwrap();
    }
    policy
}

#[test]
fn the_policy_gradient_raises_the_probability_of_what_is_rewarded() {
    let (before, after, again) = (train(0), train(30), train(30));
    for product in products() {
        let [from, to, same] =
            [&before, &after, &again].map(|policy| probability_of_velvet(policy, &product));
        assert!(from < 0.3 && to > 0.7, "{}: {from:.3} -> {to:.3}", product.id);
        assert_eq!(to.to_bits(), same.to_bits(), "the same seeds give the same run");
    }
}
