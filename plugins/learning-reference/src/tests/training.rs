//! The whole loop, as a trainer runs it: sample, reward, log-probs, loss, gradient, step.

use super::*;
use crate::{CategoricalParameters, CategoricalPrompt, Dpo, DpoParameters, Pcpo, PcpoParameters, TEMPLATES};

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

fn corrupted(products: &[Product], index: usize, corruption: &Corruption) -> Product {
    match corruption {
        Corruption::MaskedImage { .. } => {
            let mut image = products[index].image.to_rgba();
            image.pixels_mut().enumerate().filter(|(i, _)| i % 4 != 0).for_each(|(_, p)| *p = Rgba([0; 4]));
            Product { image: image.into(), ..products[index].clone() }
        }
        Corruption::SwappedText => {
            let other = &products[(index + 1) % products.len()];
            Product { image: products[index].image.clone(), ..other.clone() }
        }
    }
}

/// Trains for `steps` steps and gives the policy and the loss of each step.
fn train(optimizer: &impl RlOptimizer, steps: u64) -> (CategoricalPrompt, Vec<LossAndGradient>) {
    let mut policy = CategoricalPrompt::create(CategoricalParameters::default(), &environment()).unwrap();
    let products = products();
    let needs = optimizer.needs();
    let mut history = Vec::new();
    for step in 0..steps {
        let mut batch = PreferenceBatch::default();
        let mut answers = Vec::new();
        for (index, product) in products.iter().enumerate() {
            let seed = rng::derive(step, &[&product.id]);
            let request = PromptRequest { samples: 8, ..PromptRequest::new(product.clone(), seed) };
            let (mut group, mut asked) = (Vec::new(), Vec::new());
            for sample in policy.generate(&request, &cx()).unwrap() {
                let conditions = std::iter::once(product.clone())
                    .chain(needs.corruptions.iter().map(|c| corrupted(&products, index, c)));
                let under: Vec<_> = conditions
                    .map(|condition| ConditionedAnswer { condition, tokens: sample.tokens.clone() })
                    .collect();
                let ask = |which| policy.log_probs(which, &under, &cx()).unwrap();
                let mut probs = ask(Policy::Current)
                    .into_iter()
                    .zip(ask(Policy::Reference))
                    .map(|(current, reference)| LogProbs { current, reference });
                let clean = probs.next().unwrap();
                group.push(SampleEvidence {
                    reward: reward(&sample.text),
                    clean,
                    corrupted: probs.collect(),
                    sampled: sample.log_probs.clone(),
                });
                asked.push(under);
            }
            batch.groups.push(group);
            answers.push(asked);
        }
        let answer = optimizer.loss(&batch, &cx()).unwrap();
        let mut items = Vec::new();
        for (gradient, under) in answer.groups.iter().flatten().zip(answers.into_iter().flatten()) {
            let derivatives = std::iter::once(&gradient.clean).chain(&gradient.corrupted);
            items.extend(
                under
                    .into_iter()
                    .zip(derivatives)
                    .map(|(answer, d)| AnswerGradient { answer, loss_by_log_prob: d.clone() }),
            );
        }
        policy.accumulate_gradient(&items, &whole(), &cx()).unwrap();
        policy.step(&TrainingOptions::new(0.1), &cx()).unwrap();
        history.push(answer);
    }
    (policy, history)
}

#[test]
fn dpo_raises_the_probability_of_what_is_rewarded() {
    let dpo = Dpo::create(DpoParameters::default(), &environment()).unwrap();
    let before = train(&dpo, 0).0;
    let (after, history) = train(&dpo, 30);
    for product in products() {
        let (from, to) = (probability_of_velvet(&before, &product), probability_of_velvet(&after, &product));
        assert!(from < 0.3 && to > 0.7, "{}: {from:.3} -> {to:.3}", product.id);
    }
    assert!(history.first().unwrap().loss > 0.69 && history.last().unwrap().loss < history[0].loss);
    // The same seeds give the same run, bit by bit.
    assert_eq!(history, train(&dpo, 30).1);
}

#[test]
fn pcpo_ties_answers_to_their_condition() {
    let pcpo = Pcpo::create(PcpoParameters::default(), &environment()).unwrap();
    let (policy, history) = train(&pcpo, 30);
    let made = |h: &&LossAndGradient| h.metrics["preferences"] > 0.0;
    let last = history.iter().rfind(made).unwrap();
    assert!(last.metrics["conditions/margins"] > 0.02, "{:?}", last.metrics);
    for product in products() {
        assert!(probability_of_velvet(&policy, &product) > 0.5);
    }
}
