//! Scores and comparisons.

use super::*;

for_each_model! {
    swapping: swapped_sides_mirror;
    batches: nothing_depends_on_the_batch_or_the_threads;
    base_rate: an_untrained_model_says_about_its_base_rate;
    stopping: a_stopped_call_says_so;
    weights_that_broke: a_score_that_is_not_finite_names_the_product;
}

fn lefts(model: &impl RewardModel, pairs: &[PairRequest]) -> Vec<f64> {
    model.compare_batch(pairs, &cx()).into_iter().map(|answer| answer.unwrap().left).collect()
}

fn swapped_sides_mirror<M: TrainableRewardModel>(create: impl Fn() -> M) {
    let mut model = create();
    train(&mut model, &pairs(0..4), 2, 1e-2);
    for number in 4..10 {
        let pair = labelled(number).pair;
        let left = model.compare(&pair, &cx()).unwrap().left;
        assert!(left != 0.5);
        assert_eq!(left, 1.0 - model.compare(&swapped(&pair), &cx()).unwrap().left);
        let same = PairRequest { right: pair.left.clone(), ..pair };
        assert_eq!(model.compare(&same, &cx()).unwrap().left, 0.5);
    }
}

fn nothing_depends_on_the_batch_or_the_threads<M: TrainableRewardModel>(create: impl Fn() -> M + Sync) {
    let asked: Vec<PairRequest> = pairs(0..19).into_iter().map(|item| item.pair).collect();
    let in_pool = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = create();
            let losses = train(&mut model, &pairs(0..11), 3, 1e-2);
            (losses, lefts(&model, &asked), lefts(&create(), &asked[5..6]))
        })
    };
    let (losses, together, _) = in_pool(1);
    let (other_losses, other_together, alone) = in_pool(3);
    assert_eq!((losses, &together), (other_losses, &other_together), "1 thread against 3");
    assert_eq!(alone[0], lefts(&create(), &asked)[5], "alone against in a batch");
    let requests: Vec<ScoreRequest> = asked
        .iter()
        .map(|pair| ScoreRequest { product: pair.product.clone(), creative: pair.left.clone() })
        .collect();
    let model = create();
    let batch = model.score_batch(&requests, &cx());
    for (request, answer) in requests.iter().zip(batch).step_by(6) {
        assert_eq!(create().score(request, &cx()).unwrap(), answer.unwrap());
    }
}

fn an_untrained_model_says_about_its_base_rate<M: TrainableRewardModel>(create: impl Fn() -> M) {
    let request = ScoreRequest { product: product(1), creative: creative(3, 90) };
    let ctr = create().score(&request, &cx()).unwrap().ctr;
    assert!((0.02..0.045).contains(&ctr), "{ctr}");
}

struct Stopped;

impl adeval_sdk::CallHost for Stopped {
    fn cancelled(&self) -> bool {
        true
    }
    fn progress(&self, _: f32, _: &str) {}
}

fn a_stopped_call_says_so<M: TrainableRewardModel>(create: impl Fn() -> M) {
    let mut model = create();
    let stopped = CallContext::new(&Stopped);
    let items = pairs(0..3);
    let asked: Vec<PairRequest> = items.iter().map(|item| item.pair.clone()).collect();
    for answer in model.compare_batch(&asked, &stopped) {
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Cancelled);
    }
    let error = model.accumulate_gradient(&items, &GradientOptions::default(), &stopped).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

fn a_score_that_is_not_finite_names_the_product<R>(create: impl Fn() -> crate::ranker::Trained<R>)
where
    R: crate::ranker::Ranker,
{
    let mut model = create();
    // One weight of a trained model that went astray.
    let last = model.weights.len() - 1;
    model.weights[last] = f32::NAN;
    let item = labelled(6);
    let request = ScoreRequest { product: item.pair.product.clone(), creative: item.pair.left.clone() };
    for error in [
        model.score(&request, &cx()).unwrap_err(),
        model.accumulate_gradient(&[item], &GradientOptions::default(), &cx()).unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::Numerical);
        assert!(error.message.contains("product-6"), "{error}");
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    fn refused<C: Component>(parameters: C::Parameters, word: &str) {
        let error = C::create(parameters, &Environment::default()).err().unwrap();
        assert_eq!(error.kind, ErrorKind::InvalidParameters);
        assert!(error.message.contains(word), "{error}");
    }
    refused::<VisionReward>(VisionParameters { dropout: 1.0, ..Default::default() }, "dropout");
    refused::<VisionReward>(VisionParameters { base_ctr: 0.0, ..Default::default() }, "base_ctr");
    refused::<VamReward>(VamParameters { side: 40, ..Default::default() }, "side");
    refused::<VamReward>(VamParameters { point_weight: f64::NAN, ..Default::default() }, "point_weight");
    refused::<Cg4CtrReward>(Cg4CtrParameters { width: 66, ..Default::default() }, "width");
    refused::<Cg4CtrReward>(Cg4CtrParameters { buckets: 1, ..Default::default() }, "buckets");
}

#[test]
fn an_encoder_that_is_none_is_named() {
    let open = |encoder: &std::path::Path| {
        let encoder = Some(encoder.display().to_string());
        let parameters = VisionParameters { encoder, ..VisionParameters::default() };
        VisionReward::create(parameters, &Environment::default()).err().unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let missing = open(folder.path());
    assert_eq!(missing.kind, ErrorKind::MissingWeights, "{missing}");
    std::fs::write(folder.path().join("config.json"), r#"{"model_type": "bert"}"#).unwrap();
    let other = open(folder.path());
    assert_eq!(other.kind, ErrorKind::BadWeights);
    assert!(other.message.contains("bert") && other.hint.is_some(), "{other}");
}
