//! What a trained model is worth on products that had no part in its training: asked once, kept, and reported.

use super::data::{Pictures, Shop};
use super::pairs::{Labelled, bare};
use super::plan::Plan;
use super::result::{ModelResult, Parameters, Seconds};
use super::student::{Answer, Student};
use crate::records::{Cell, Field, Kind, Writer};
use crate::train::supervised::State;
use crate::train::{TrainError, checkpoint};
use adeval_eval::pairs::{Options, Pair, Report, evaluate, temperature, tempered};
use adeval_eval::{Bootstrap, Estimate, EvalError, Sums};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a trained model said, `answers.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// Of each validation pair, P(left) with its first creative on the left, then with its second.
    pub validation: Vec<Option<Answer>>,
    /// Of each test pair.
    pub test: Vec<Option<Answer>>,
    /// Time inside the model for all of them, in seconds.
    pub seconds: f64,
}

impl Answers {
    /// What was asked before, or what the model says now.
    pub fn of(
        student: impl FnOnce() -> Result<(Answers, State), TrainError>,
        dir: &Path,
    ) -> Result<(Self, State), TrainError> {
        let path = dir.join("answers.json");
        let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        if let (Some(known), Some(state)) = (known, State::read(dir)) {
            return Ok((known, state));
        }
        let (answers, state) = student()?;
        checkpoint::replace(&path, serde_json::to_string(&answers).unwrap_or_default().as_bytes())?;
        Ok((answers, state))
    }

    /// Asks a trained model.
    pub fn ask(student: &Student<'_>, pictures: &mut Pictures<'_>) -> Result<Self, TrainError> {
        let plan = student.plan;
        let (validation, test) = (&plan.validation.pairs, &plan.test.pairs);
        let title = format!("{}: test", student.planned.model.id);
        student.calls.services.progress.stage(&title, validation.len() + test.len());
        let before = student.calls.clock.seconds();
        let (validation, _) = student.answers(validation, pictures)?;
        let (test, refused) = student.answers(test, pictures)?;
        if let (true, Some(error)) = (test.iter().all(Option::is_none), refused) {
            return Err(student.calls.failed(&student.planned.component, error));
        }
        Ok(Self { validation, test, seconds: student.calls.clock.seconds() - before })
    }
}

/// The report on a model: its temperature from the validation pairs, everything else from the test pairs.
pub fn report(
    plan: &Plan<'_>,
    id: &str,
    component: &str,
    answers: &Answers,
    state: &State,
    bootstrap: Bootstrap,
) -> Result<ModelResult, EvalError> {
    let both = |(pair, answer): (&Labelled, &Option<Answer>)| {
        let [first_left, second_left] = (*answer)?;
        Some([(first_left, pair.first), (second_left, 1.0 - pair.first)])
    };
    let known: Vec<(f64, f64)> =
        plan.validation.pairs.iter().zip(&answers.validation).filter_map(both).flatten().collect();
    let temperature = temperature(&known)?;
    let raw = judged(plan, &answers.test, |p| p);
    let options = Options { bootstrap, ..Options::default() };
    let plain: Report = evaluate(&raw, &options)?;
    let report = evaluate(&judged(plan, &answers.test, |p| tempered(p, temperature)), &options)?;
    let per_thousand = |seconds: f64, questions: f64| (questions > 0.0).then(|| 1000.0 * seconds / questions);
    let questions = state.examples as f64 * if plan.recipe.both_orders { 2.0 } else { 1.0 };
    let asked = 2.0 * (answers.validation.len() + answers.test.len()) as f64;
    Ok(ModelResult {
        id: id.to_owned(),
        component: component.to_owned(),
        parameters: state.parameters.map(|[trained, total]| Parameters { trained, total }),
        epochs: state.epoch,
        best_epoch: state.best_epoch,
        steps: state.steps,
        validation_loss: state.best_loss,
        temperature,
        uncalibrated_ece: plain.calibration.ece,
        unanswered: answers.test.iter().filter(|answer| answer.is_none()).count(),
        report,
        true_order: None,
        beats: Vec::new(),
        seconds: Seconds {
            training: per_thousand(state.training_seconds, questions),
            comparing: per_thousand(answers.seconds, asked),
        },
        weights: format!("models/{id}/best"),
    })
}

/// The test pairs that were answered, with counts and answers.
fn judged(plan: &Plan<'_>, answers: &[Option<Answer>], calibrate: impl Fn(f64) -> f64) -> Vec<Pair> {
    let pair = |(pair, answer): (&Labelled, &Option<Answer>)| {
        let [first_left, second_left] = (*answer)?;
        let advertised = &plan.shop.products[pair.product];
        let [first, second] = pair.creatives.map(|at| advertised.creatives[at].arm);
        Some(Pair {
            category: advertised.product.category.first().cloned(),
            first_left: Some(calibrate(first_left)),
            second_left: Some(calibrate(second_left)),
            ..bare(pair.product, first, second)
        })
    };
    plan.test.pairs.iter().zip(answers).filter_map(pair).collect()
}

/// What each pair is worth to a model: 1 when it names the winner, 1/2 when it names none, by pair; `None` without an answer.
pub fn right(
    pairs: &[Labelled],
    answers: &[Option<Answer>],
    winner: impl Fn(&Labelled) -> Option<std::cmp::Ordering>,
) -> Vec<Option<f64>> {
    let one = |(pair, answer): (&Labelled, &Option<Answer>)| {
        let [first_left, second_left] = (*answer)?;
        let winner = winner(pair)?;
        let p = f64::midpoint(first_left, 1.0 - second_left);
        Some(match p.partial_cmp(&0.5)? {
            std::cmp::Ordering::Equal => 0.5,
            said => f64::from(u8::from(said == winner)),
        })
    };
    pairs.iter().zip(answers).map(one).collect()
}

/// The mean over pairs, with an interval over products.
pub fn rate(
    pairs: &[Labelled],
    right: &[Option<f64>],
    bootstrap: &Bootstrap,
) -> Result<Option<Estimate>, EvalError> {
    let products = pairs.iter().map(|pair| pair.product + 1).max().unwrap_or(0);
    let mut sums = Sums::new(products, 2);
    for (pair, right) in pairs.iter().zip(right) {
        if let Some(right) = right {
            sums.add(pair.product, 0, *right);
            sums.add(pair.product, 1, 1.0);
        }
    }
    let found = sums.estimates(bootstrap, 1, |s, out| out[0] = s[0] / s[1])?;
    Ok(found.into_iter().next().flatten())
}

/// `test_pairs.csv`: the test pairs with the model's answers as it gave them, which `adeval eval pairs` reads.
pub fn write_pairs(
    shop: &Shop,
    pairs: &[Labelled],
    answers: &[Option<Answer>],
    path: &Path,
) -> Result<(), TrainError> {
    let wrong = |reason: String| TrainError::Save { path: path.to_owned(), reason };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(wrong(error.to_string())),
        _ => {}
    }
    let text = ["product", "left", "right", "category"].map(|name| Field::new(name, Kind::Text));
    let whole = ["left_clicks", "left_impressions", "right_clicks", "right_impressions"];
    let real = ["p_left", "p_left_swapped"].map(|name| Field::new(name, Kind::Real));
    let fields = text.into_iter().chain(whole.map(|name| Field::new(name, Kind::Whole))).chain(real);
    let mut file = Writer::create(path, fields.collect()).map_err(wrong)?;
    for (pair, answer) in pairs.iter().zip(answers) {
        let Some([first_left, second_left]) = answer else { continue };
        let advertised = &shop.products[pair.product];
        let [left, right] = pair.creatives.map(|at| &advertised.creatives[at]);
        let category = advertised.product.category.first().map_or("", String::as_str);
        let names = [advertised.product.id.as_str(), &left.name, &right.name, category];
        let counts = [left.arm.clicks, left.arm.impressions, right.arm.clicks, right.arm.impressions];
        let row: Vec<Cell<'_>> = names
            .map(|name| Cell::Text(name.into()))
            .into_iter()
            .chain(counts.map(|count| Cell::Whole(count as i64)))
            .chain([*first_left, 1.0 - second_left].map(Cell::Real))
            .collect();
        file.row(&row).map_err(wrong)?;
    }
    file.finish().map_err(wrong)?;
    Ok(())
}
