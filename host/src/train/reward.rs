//! Reward models from clicks: pairs of a product's creatives, trained on with early stopping, calibrated, and tested once, all models
//! on the same products (CAIG, arXiv 2502.06823, section 3.3, and its baselines).
//!
//! Products are divided, not pairs: no product that a model was trained on is tested. The validation products decide when to stop and
//! give the temperature of the probabilities; the test products are asked about once, by the checkpoint that those chose.

mod data;
mod exam;
mod pairs;
mod plan;
mod recipe;
mod result;
mod student;
mod truth;

pub use pairs::{LabelRule, PairCounts, PairRule};
pub use plan::PartCounts;
pub use recipe::{Data, Model, Recipe, Split};
pub use result::{FailedModel, ModelResult, Parameters, RewardResult, Seconds};

use super::TrainError;
use super::calls::Calls;
use super::supervised::{Fit, State};
use crate::bench::{BenchError, Clock, Services};
use crate::market::SYNTHETIC;
use adeval_eval::statistics::multiplicity::holm;
use adeval_eval::statistics::paired;
use adeval_eval::{Bootstrap, ClusterTable};
use data::Pictures;
use exam::Answers;
use plan::{Plan, PlannedModel};
use std::path::{Path, PathBuf};
use std::time::Instant;
use student::{Pupil, Student};
use truth::Truth;

/// A finished training.
#[derive(Debug, Clone)]
pub struct RewardOutcome {
    /// What `result.json` holds.
    pub result: RewardResult,
    /// Where the training is.
    pub dir: PathBuf,
    /// Wall time of this call in seconds, and of it that inside models.
    pub seconds: (f64, f64),
}

/// A model that was trained and asked.
struct Examined<'a> {
    planned: &'a PlannedModel<'a>,
    /// Its directory.
    home: PathBuf,
    answers: Answers,
    state: State,
}

/// Follows a recipe in a directory, or what is left of it.
///
/// # Errors
/// [`TrainError`]. A model that fails is no error while another one does not: it is told, and counted.
pub fn run(recipe: &Recipe, dir: &Path, services: &Services<'_>) -> Result<RewardOutcome, TrainError> {
    let (started, clock) = (Instant::now(), Clock::default());
    let plan = Plan::new(recipe, services)?;
    let (mut examined, mut failed) = (Vec::new(), Vec::new());
    let mut pictures = Pictures::new(&plan.shop);
    for planned in &plan.models {
        let home = dir.join("models").join(&planned.model.id);
        std::fs::create_dir_all(&home).map_err(BenchError::write(&home))?;
        // Other parameters are an error of the whole command: what stands there must not be taken for what was asked for.
        plan.bind(planned, &home)?;
        let calls = Calls { services, clock: &clock, dir: &home };
        match examine(&plan, planned, calls, &mut pictures) {
            Ok((answers, state)) => examined.push(Examined { planned, home: home.clone(), answers, state }),
            Err(error @ (TrainError::Component { .. } | TrainError::Step { .. })) => {
                services.progress.warn(&format!("{error}"));
                failed.push((planned.model.id.clone(), error));
            }
            Err(error) => return Err(error),
        }
    }
    if examined.is_empty()
        && let Some((_, error)) = failed.pop()
    {
        return Err(error);
    }
    let result = report(&plan, &examined, failed)?;
    result.write(dir)?;
    let seconds = (started.elapsed().as_secs_f64(), clock.seconds());
    Ok(RewardOutcome { result, dir: dir.to_owned(), seconds })
}

/// Trains a model and asks it about validation and test pairs, unless that was done before.
fn examine(
    plan: &Plan<'_>,
    planned: &PlannedModel<'_>,
    calls: Calls<'_>,
    pictures: &mut Pictures<'_>,
) -> Result<(Answers, State), TrainError> {
    Answers::of(
        || {
            let student = Student::open(plan, planned, calls)?;
            let state = if plan.recipe.training_of(planned.model).epochs == 0 {
                untrained(calls.dir)?
            } else {
                Fit { learner: &mut Pupil { student: &student, pictures: &mut *pictures }, dir: calls.dir }
                    .run()?
            };
            Ok((Answers::ask(&student, pictures)?, state))
        },
        calls.dir,
    )
}

/// The state of a model that is only tested, which need not be trainable.
fn untrained(dir: &Path) -> Result<State, TrainError> {
    let state = State::default();
    state.write(dir)?;
    Ok(state)
}

fn report(
    plan: &Plan<'_>,
    examined: &[Examined<'_>],
    failed: Vec<(String, TrainError)>,
) -> Result<RewardResult, TrainError> {
    let bootstrap = Bootstrap { seed: plan.recipe.seed, ..Bootstrap::default() };
    let wrong = |error: adeval_eval::EvalError| TrainError::Recipe(format!("the test pairs: {error}"));
    let truth = plan.shop.truth.as_deref().map(Truth::read).transpose()?;
    let pairs = &plan.test.pairs;
    let mut models = Vec::new();
    for one in examined {
        let model = one.planned.model;
        let mut row = exam::report(plan, &model.id, &model.plugin, &one.answers, &one.state, bootstrap)
            .map_err(wrong)?;
        if let Some(truth) = &truth {
            let right = exam::right(pairs, &one.answers.test, |pair| truth.winner(&plan.shop, pair));
            row.true_order = exam::rate(pairs, &right, &bootstrap).map_err(wrong)?;
        }
        exam::write_pairs(&plan.shop, pairs, &one.answers.test, &one.home.join("test_pairs.csv"))?;
        models.push(row);
    }
    beats(&mut models, plan, examined, bootstrap).map_err(wrong)?;
    models.sort_by(|a, b| b.report.overall.accuracy.value.total_cmp(&a.report.overall.accuracy.value));
    Ok(RewardResult {
        name: plan.recipe.name.clone(),
        synthetic: truth.is_some().then(|| SYNTHETIC.to_owned()),
        seed: plan.recipe.seed,
        training: plan.training.counted(),
        validation: plan.validation.counted(),
        test: plan.test.counted(),
        unlisted_products: plan.shop.unlisted,
        level: bootstrap.level,
        models,
        failed: failed.into_iter().map(|(id, error)| FailedModel { id, error: error.to_string() }).collect(),
    })
}

/// Notes which models are better than which beyond chance, by each product's accuracy.
fn beats(
    models: &mut [ModelResult],
    plan: &Plan<'_>,
    examined: &[Examined<'_>],
    bootstrap: Bootstrap,
) -> Result<(), adeval_eval::EvalError> {
    let pairs = &plan.test.pairs;
    let mut products: Vec<usize> = pairs.iter().map(|pair| pair.product).collect();
    products.dedup();
    let mut table = ClusterTable::new(products.len(), examined.len());
    for (column, one) in examined.iter().enumerate() {
        let right = exam::right(pairs, &one.answers.test, |pair| pair.first.partial_cmp(&0.5));
        for (cluster, product) in products.iter().enumerate() {
            let of = pairs.iter().zip(&right).filter(|(pair, _)| pair.product == *product);
            let values: Vec<f64> = of.filter_map(|(_, right)| *right).collect();
            if !values.is_empty() {
                table.set(cluster, column, values.iter().sum::<f64>() / values.len() as f64);
            }
        }
    }
    let count = examined.len();
    let couples: Vec<(usize, usize)> = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))).collect();
    let compared = paired::compare(&table, &couples, &bootstrap)?;
    let corrected = holm(&compared.iter().map(|one| one.p).collect::<Vec<_>>());
    for (((a, b), one), p) in couples.into_iter().zip(&compared).zip(corrected) {
        if p < 1.0 - bootstrap.level {
            let (winner, loser) = if one.difference.value > 0.0 { (a, b) } else { (b, a) };
            let loser = models[loser].id.clone();
            models[winner].beats.push(loser);
        }
    }
    Ok(())
}
