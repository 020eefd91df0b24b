//! All that a plugin needs: `use adeval_sdk::prelude::*;`.

pub use crate::{
    AnswerGradient, BackgroundGenerator, BackgroundRequest, CallContext, Component, ComponentInfo,
    ConditionedAnswer, Corruption, Creative, CutOut, Determinism, EmbedRequest, Embedding, EncoderInfo,
    Environment, ErrorKind, FeatureMap, FinishReason, Floats, GradientOptions, Image, ImageEmbedder,
    Instruction, LabelledPair, LogProbs, LossAndGradient, OptimizerNeeds, PAPER_SHARE, PairRequest,
    PixelFormat, Placement, PluginError, PointScore, Policy, Preference, PreferenceBatch, Product,
    PromptGenerator, PromptRequest, PromptSample, Result, RewardModel, RlOptimizer, SampleEvidence,
    SampleGradient, ScoreRequest, Trainable, TrainablePromptGenerator, TrainableRewardModel, TrainingOptions,
    TrainingReport, WarmUp, export_plugin, rng,
};
