//! `adeval schema`: the shapes of files, for editors and for other programs.

use super::data::{CheckedFile, ImportResult, SplitManifest};
use super::eval::{
    CompareResult, ConsistencyResult, FeaturesResult, FidResult, OpeResult, PairsResult, RankingResult,
    SlatesResult,
};
use super::exit::{Finish, Stop};
use super::output;
use super::power::PowerResult;
use crate::bench::{Rendered, ShardReport};
use crate::check::{CheckConfig, CheckReport};
use crate::market::MarketResult;
use crate::products::ProductRecord;
use crate::records::Lesson;
use crate::suite::Suite;
use crate::train::compare::Comparison;
use crate::train::compare::rewards::RewardComparison;
use crate::train::metrics::MetricsLine;
use crate::train::pretrain::{self, PretrainResult};
use crate::train::reward::{self, RewardResult};
use crate::train::rl::{Recipe, RlResult};
use adeval_sdk::Manifest;
use clap::ValueEnum;
use schemars::schema_for;

#[derive(clap::Args)]
pub struct SchemaArgs {
    /// Of which file.
    #[arg(value_enum)]
    of: Document,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Document {
    /// A suite (TOML), which `adeval bench` reads.
    Suite,
    /// A list of products (JSON), which suites and `adeval render` read.
    Products,
    /// `result.json` of a run.
    Result,
    /// `shard.json` of a finished shard.
    Shard,
    /// What a plugin says of itself.
    Manifest,
    /// The sidecar of a creative that `adeval render` writes.
    Rendered,
    /// The report of `adeval plugin check --json`.
    Check,
    /// `adeval-check.toml`, a plugin's own settings for the check.
    CheckConfig,
    /// What `adeval eval pairs --json` prints.
    EvalPairs,
    /// What `adeval eval ope --json` prints.
    EvalOpe,
    /// What `adeval eval slates --json` prints.
    EvalSlates,
    /// What `adeval eval ranking --json` prints.
    EvalRanking,
    /// What `adeval eval compare --json` prints.
    EvalCompare,
    /// What `adeval eval fid --json` prints.
    EvalFid,
    /// What `adeval eval consistency --json` prints.
    EvalConsistency,
    /// What `adeval eval features --json` prints.
    EvalFeatures,
    /// What `adeval power --json` prints.
    Power,
    /// What `adeval data import --json` prints.
    DataImport,
    /// What `adeval data check --json` prints.
    DataCheck,
    /// `split.json`, which `adeval data split` writes.
    DataSplit,
    /// A recipe (TOML), which `adeval train rl` reads.
    TrainRlRecipe,
    /// What `adeval train rl --json` prints, and its `result.json`.
    TrainRl,
    /// A recipe (TOML), which `adeval train reward` reads.
    TrainRewardRecipe,
    /// What `adeval train reward --json` prints, and its `result.json`.
    TrainReward,
    /// A recipe (TOML), which `adeval train pretrain` reads.
    TrainPretrainRecipe,
    /// What `adeval train pretrain --json` prints, and its `result.json`.
    TrainPretrain,
    /// A line of lessons, which `adeval train pretrain --lessons` reads.
    TrainLesson,
    /// What `adeval train compare --json` prints of trainings by rewards.
    TrainCompare,
    /// What it prints of trainings of reward models.
    TrainCompareRewards,
    /// A line of a training's `metrics.jsonl`.
    TrainMetrics,
    /// What `adeval market --json` prints; its parts are `market.json` and `truth/truth.json`.
    Market,
}

pub fn run(args: &SchemaArgs) -> Result<Finish, Stop> {
    output::print_json(&schema(args.of))
}

fn schema(of: Document) -> serde_json::Value {
    match of {
        Document::Suite => Suite::schema(),
        Document::Products => schema_for!(Vec<ProductRecord>).to_value(),
        Document::Result => crate::bench::result_schema(),
        Document::Shard => schema_for!(ShardReport).to_value(),
        Document::Manifest => schema_for!(Manifest).to_value(),
        Document::Rendered => schema_for!(Rendered).to_value(),
        Document::Check => schema_for!(CheckReport).to_value(),
        Document::TrainRlRecipe => Recipe::schema(),
        Document::TrainRewardRecipe => reward::Recipe::schema(),
        Document::TrainPretrainRecipe => pretrain::Recipe::schema(),
        Document::TrainPretrain => schema_for!(PretrainResult).to_value(),
        Document::TrainLesson => schema_for!(Lesson).to_value(),
        Document::TrainCompare => schema_for!(Comparison).to_value(),
        Document::TrainCompareRewards => schema_for!(RewardComparison).to_value(),
        Document::TrainReward => schema_for!(RewardResult).to_value(),
        Document::TrainRl => schema_for!(RlResult).to_value(),
        Document::TrainMetrics => schema_for!(MetricsLine).to_value(),
        Document::CheckConfig => schema_for!(CheckConfig).to_value(),
        Document::EvalPairs => schema_for!(PairsResult).to_value(),
        Document::EvalOpe => schema_for!(OpeResult).to_value(),
        Document::EvalSlates => schema_for!(SlatesResult).to_value(),
        Document::EvalRanking => schema_for!(RankingResult).to_value(),
        Document::DataImport => schema_for!(ImportResult).to_value(),
        Document::DataCheck => schema_for!(CheckedFile).to_value(),
        Document::DataSplit => schema_for!(SplitManifest).to_value(),
        Document::Market => schema_for!(MarketResult).to_value(),
        Document::EvalCompare => schema_for!(CompareResult).to_value(),
        Document::EvalFid => schema_for!(FidResult).to_value(),
        Document::EvalConsistency => schema_for!(ConsistencyResult).to_value(),
        Document::EvalFeatures => schema_for!(FeaturesResult).to_value(),
        Document::Power => schema_for!(PowerResult).to_value(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The committed schemas are the types'; `UPDATE_SCHEMAS=1` writes them anew.
    #[test]
    fn committed_schemas_are_up_to_date() {
        for of in Document::value_variants() {
            let name = of.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
            let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../schemas")
                .join(format!("{name}.schema.json"));
            let text = serde_json::to_string_pretty(&schema(*of)).unwrap() + "\n";
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::write(&file, &text).unwrap();
            }
            let committed = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(committed, text, "{name}.schema.json is out of date: cargo xtask schemas --write");
        }
    }
}
