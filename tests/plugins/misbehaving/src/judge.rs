//! Reward models.

use crate::component::Nothing;
use adeval_sdk::Library;
use adeval_sdk::prelude::*;
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

pub fn add(library: &mut Library) {
    library.reward_model::<Brightness>();
    library.reward_model::<SlowBrightness>();
    library.reward_model::<NanPreference>();
    library.reward_model::<CtrAboveOne>();
    library.reward_model::<LosesAnAnswer>();
    library.reward_model::<AbortsOnAPair>();
}

/// Mean of all channels, in [0, 1].
fn brightness(image: &Image) -> f64 {
    let sum: f64 = image.bytes().iter().map(|&byte| f64::from(byte)).sum();
    sum / (255.0 * image.bytes().len() as f64)
}

fn prefer_brighter(pair: &PairRequest) -> Preference {
    let lead = brightness(&pair.left) - brightness(&pair.right);
    Preference { left: 1.0 / (1.0 + (-4.0 * lead).exp()) }
}

fn tenth(request: &ScoreRequest) -> PointScore {
    PointScore { ctr: 0.1 * brightness(&request.creative), parts: BTreeMap::new() }
}

/// A reward model by its two answers.
macro_rules! judge {
    ($name:ident, $id:literal, $summary:literal, $compare:expr, $score:expr) => {
        component!($name(Nothing), $id, $summary);

        impl RewardModel for $name {
            fn compare(&self, pair: &PairRequest, _: &CallContext<'_>) -> Result<Preference> {
                let compare: fn(&PairRequest) -> Preference = $compare;
                Ok(compare(pair))
            }
            fn score(&self, request: &ScoreRequest, _: &CallContext<'_>) -> Result<PointScore> {
                let score: fn(&ScoreRequest) -> PointScore = $score;
                Ok(score(request))
            }
        }
    };
}

judge!(Brightness, "brightness", "Prefers the brighter creative", prefer_brighter, tenth);
judge!(
    SlowBrightness,
    "slow-brightness",
    "The same, 25 ms an answer",
    |pair| {
        sleep(Duration::from_millis(25));
        prefer_brighter(pair)
    },
    tenth
);
judge!(
    NanPreference,
    "nan-preference",
    "Answers every pair with NaN",
    |_| Preference { left: f64::NAN },
    tenth
);
judge!(CtrAboveOne, "ctr-above-one", "Predicts 150 clicks on 100 views", prefer_brighter, |_| PointScore {
    ctr: 1.5,
    parts: BTreeMap::new()
});
judge!(
    AbortsOnAPair,
    "aborts-on-a-pair",
    "Aborts when it is asked to compare",
    |_| std::process::abort(),
    tenth
);

component!(LosesAnAnswer(Nothing), "loses-an-answer", "Answers all pairs but the last");

impl RewardModel for LosesAnAnswer {
    fn compare(&self, pair: &PairRequest, _: &CallContext<'_>) -> Result<Preference> {
        Ok(prefer_brighter(pair))
    }
    fn score(&self, request: &ScoreRequest, _: &CallContext<'_>) -> Result<PointScore> {
        Ok(tenth(request))
    }
    fn compare_batch(&self, pairs: &[PairRequest], _: &CallContext<'_>) -> Vec<Result<Preference>> {
        pairs.iter().skip(1).map(|pair| Ok(prefer_brighter(pair))).collect()
    }
}
