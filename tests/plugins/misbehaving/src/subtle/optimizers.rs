//! An RL optimizer with one fault: -log sigmoid of the margin between the best and the worst sample of a group.

use crate::component::Nothing;
use adeval_sdk::Library;
use adeval_sdk::prelude::*;
use std::collections::BTreeMap;

pub fn add(library: &mut Library) {
    library.rl_optimizer::<Margin<DESCENDS>>();
    library.rl_optimizer::<Margin<FORGETS_THE_MEAN>>();
    library.rl_optimizer::<Margin<CLIMBS>>();
}

const DESCENDS: u8 = 0;
const FORGETS_THE_MEAN: u8 = 1;
const CLIMBS: u8 = 2;

struct Margin<const FAULT: u8>;

impl<const FAULT: u8> Component for Margin<FAULT> {
    type Parameters = Nothing;
    fn info() -> ComponentInfo {
        let (id, summary) = match FAULT {
            FORGETS_THE_MEAN => ("forgets-the-mean", "Its gradient is that of the sum, its loss the mean"),
            CLIMBS => ("climbs", "Its gradient has the wrong sign"),
            _ => ("descends", "A margin loss and its gradient"),
        };
        ComponentInfo::new(id, summary)
    }
    fn create(_: Nothing, _: &Environment) -> Result<Self> {
        Ok(Self)
    }
}

impl<const FAULT: u8> RlOptimizer for Margin<FAULT> {
    fn needs(&self) -> OptimizerNeeds {
        OptimizerNeeds { samples_per_product: 2, corruptions: Vec::new() }
    }

    fn loss(&self, batch: &PreferenceBatch, _: &CallContext<'_>) -> Result<LossAndGradient> {
        let share = 1.0 / batch.groups.len().max(1) as f64;
        let mut loss = 0.0;
        let mut groups = Vec::new();
        for group in &batch.groups {
            let zeros = |s: &SampleEvidence| SampleGradient {
                clean: vec![0.0; s.clean.current.len()],
                ..Default::default()
            };
            let mut gradients: Vec<SampleGradient> = group.iter().map(zeros).collect();
            let by_reward = |a: &usize, b: &usize| group[*a].reward.total_cmp(&group[*b].reward);
            let best = (0..group.len()).max_by(by_reward).unwrap_or(0);
            let worst = (0..group.len()).min_by(by_reward).unwrap_or(0);
            let sum = |at: usize| group[at].clean.current.iter().sum::<f64>();
            let q = 1.0 / (1.0 + (sum(best) - sum(worst)).exp());
            loss -= share * (1.0 - q).ln();
            let slope = match FAULT {
                FORGETS_THE_MEAN => q,
                CLIMBS => -share * q,
                _ => share * q,
            };
            gradients[best].clean.iter_mut().for_each(|g| *g -= slope);
            gradients[worst].clean.iter_mut().for_each(|g| *g += slope);
            groups.push(gradients);
        }
        Ok(LossAndGradient { loss, groups, metrics: BTreeMap::new() })
    }
}
