//! What a designer would keep: the prompts whose scenes suit their products, as questions and answers for pre-training.
//!
//! A designer knows what suits a lamp and nothing of clicks: the selection is by [`MATCHES`] alone. Since shoppers like scenes that match,
//! too, a model that learnt from designs knows a part of what they like, as one that learnt from good advertisements does.

use super::publish::Stall;
use super::{MarketError, MarketJob, SYNTHETIC};
use crate::bench::Creatives;
use crate::records::Lesson;
use crate::store::write_whole;
use adeval_eval::market::MATCHES;
use std::collections::{HashMap, HashSet};

/// Lessons for `adeval train pretrain`.
pub const DESIGNS: &str = "designs.synthetic.jsonl";

/// Writes them: each prompt of a product once.
pub fn write(job: &MarketJob, stalls: &[Stall], made: &Creatives) -> Result<(), MarketError> {
    let prompts: HashMap<String, &str> =
        made.artifacts.iter().map(|one| (super::publish::name(one), one.prompt.as_str())).collect();
    let mut text = String::new();
    for stall in stalls {
        let mut seen = HashSet::new();
        let suits = stall.goods.iter().filter(|good| good.truth.product_match >= MATCHES);
        for prompt in suits.filter_map(|good| prompts.get(&good.name)).filter(|prompt| seen.insert(**prompt))
        {
            let lesson = Lesson {
                product: stall.facts.id.clone(),
                question: None,
                answer: (*prompt).to_owned(),
                note: Some(SYNTHETIC.to_owned()),
            };
            text += &(serde_json::to_string(&lesson).map_err(|e| MarketError::Table(e.to_string()))? + "\n");
        }
    }
    Ok(write_whole(&job.out.join(DESIGNS), text.as_bytes())?)
}
