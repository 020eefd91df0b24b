//! Questions about single pictures outside a suite: to an embedder, and to a reward model.

use super::plan::PlannedComponent;
use super::pump::{Caller, Clock, Done, pump};
use super::{BenchError, OpenComponent, Services};
use crate::suite::{Component, Suite};
use adeval_sdk::client::{EmbedderClient, RewardClient};
use adeval_sdk::{
    CallContext, EmbedRequest, Embedding, EncoderInfo, Kind, PluginError, PointScore, ScoreRequest,
};
use std::path::Path;

/// A component that the user named, opened.
pub(super) struct Named {
    pub planned: PlannedComponent,
    pub open: Box<dyn OpenComponent>,
}

impl Named {
    pub fn open(
        kind: Kind,
        user: &str,
        component: &Component,
        services: &Services<'_>,
    ) -> Result<Self, BenchError> {
        let suite = Suite::of_entries(user, Path::new("."), Vec::new());
        let planned = PlannedComponent::new(&suite, kind, user.into(), component, services)?;
        planned.caveat().into_iter().for_each(|note| services.progress.warn(&note));
        let failed = |error| BenchError::Plugin { user: user.into(), error };
        let open = planned.open(services, None).map_err(failed)?;
        Ok(Self { planned, open })
    }
}

/// What an embedder sees of each picture of an item, in their order.
pub type Seen = Vec<Result<Embedding, PluginError>>;

/// Shows an embedder the pictures of each item and hands what it sees of them to `keep`, in no order. Items that a wish
/// to stop cut off are not kept.
///
/// # Errors
/// When the embedder is not found or cannot be opened.
pub fn look<I: Send>(
    embedder: &Component,
    items: Vec<I>,
    pictures: impl Fn(&I) -> Result<Vec<EmbedRequest>, PluginError> + Sync,
    services: &Services<'_>,
    mut keep: impl FnMut(I, Result<Seen, PluginError>) + Send,
) -> Result<EncoderInfo, BenchError> {
    let user = "embedder";
    let named = Named::open(Kind::ImageEmbedder, user, embedder, services)?;
    let client = EmbedderClient::new(named.open.endpoint());
    let encoder = client
        .describe(&CallContext::new(&Caller(services)))
        .map_err(|error| BenchError::Plugin { user: user.into(), error })?;
    services.progress.stage(&encoder.name, items.len());
    let call = |asked: &[&Vec<EmbedRequest>], cx: &CallContext<'_>| {
        let all: Vec<EmbedRequest> = asked.iter().flat_map(|pictures| (*pictures).clone()).collect();
        let mut seen = client.embed(&all, cx)?.into_iter();
        Ok(asked.iter().map(|pictures| Ok(seen.by_ref().take(pictures.len()).collect())).collect())
    };
    pump(
        items.into_iter().map(|item| vec![item]).collect(),
        services,
        &Clock::default(),
        |items| items.iter().map(&pictures).collect(),
        call,
        |done: Vec<Done<I, Seen>>| {
            done.into_iter().for_each(|(item, seen, _)| keep(item, seen));
            Ok(())
        },
    )?;
    Ok(encoder)
}

/// Asks a reward model for the point score of each item and hands it to `keep`, as [`look`] does.
///
/// # Errors
/// When the judge is not found or cannot be opened.
pub fn score<I: Send>(
    judge: &Component,
    items: Vec<I>,
    request: impl Fn(&I) -> Result<ScoreRequest, PluginError> + Sync,
    services: &Services<'_>,
    mut keep: impl FnMut(I, Result<PointScore, PluginError>) + Send,
) -> Result<(), BenchError> {
    let named = Named::open(Kind::RewardModel, "judge", judge, services)?;
    let client = RewardClient::new(named.open.endpoint());
    services.progress.stage(&judge.plugin, items.len());
    pump(
        items.into_iter().map(|item| vec![item]).collect(),
        services,
        &Clock::default(),
        |items| items.iter().map(&request).collect(),
        |asked: &[&ScoreRequest], cx: &CallContext<'_>| {
            let asked: Vec<ScoreRequest> = asked.iter().map(|request| (*request).clone()).collect();
            client.score(&asked, cx)
        },
        |done: Vec<Done<I, PointScore>>| {
            done.into_iter().for_each(|(item, answer, _)| keep(item, answer));
            Ok(())
        },
    )
}
