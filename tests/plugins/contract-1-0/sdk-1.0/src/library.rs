//! What a library exports, before any ABI: components by id, each with its constructor.

use crate::{
    BackgroundGenerator, CallContext, Component, ComponentManifest, ContractVersion, Endpoint, Environment,
    ImageEmbedder, Kind, Manifest, PluginError, PromptGenerator, Result, RewardModel, RlOptimizer,
    TrainablePromptGenerator, TrainableRewardModel, endpoint, manifest::FEATURES,
};
use serde_json::Value;

type Create = Box<dyn Fn(&Value, &Environment, &CallContext<'_>) -> Result<Box<dyn Endpoint>> + Send + Sync>;

/// The components of a library; [`crate::export_plugin!`] fills one.
pub struct Library {
    manifest: Manifest,
    creators: Vec<Create>,
}

impl Library {
    /// An empty library of this name and version.
    pub fn new(name: &str, version: &str) -> Self {
        let manifest = Manifest {
            library: name.into(),
            version: version.into(),
            contract: ContractVersion::CURRENT,
            features: FEATURES.map(String::from).to_vec(),
            components: Vec::new(),
        };
        Self { manifest, creators: Vec::new() }
    }

    fn add<T: Component>(&mut self, kind: Kind, trainable: bool, serve: fn(T) -> Box<dyn Endpoint>) {
        let manifest = ComponentManifest {
            kind,
            info: T::info(),
            trainable,
            parameters: schemars::schema_for!(T::Parameters).to_value(),
            defaults: serde_json::to_value(T::Parameters::default()).unwrap_or_default(),
        };
        self.endpoint(manifest, move |parameters, environment, cx| {
            // Absent parameters mean the defaults, also for types that do not say `#[serde(default)]`.
            let parsed = if parameters.is_null() {
                T::Parameters::default()
            } else {
                serde_json::from_value(parameters.clone()).map_err(|e| {
                    PluginError::invalid_parameters(format!("parameters of \"{}\": {e}", T::info().id))
                })?
            };
            T::create_watched(parsed, environment, cx).map(serve)
        });
    }

    /// Adds a component that answers messages itself instead of implementing a trait, as a bridge to another language
    /// does whose components are known only when it runs.
    pub fn endpoint(
        &mut self,
        manifest: ComponentManifest,
        create: impl Fn(&Value, &Environment, &CallContext<'_>) -> Result<Box<dyn Endpoint>>
        + Send
        + Sync
        + 'static,
    ) {
        self.manifest.components.push(manifest);
        self.creators.push(Box::new(create));
    }

    /// Adds a prompt generator.
    pub fn prompt_generator<T: PromptGenerator>(&mut self) {
        self.add::<T>(Kind::PromptGenerator, false, endpoint::prompt_generator);
    }

    /// Adds a prompt generator that can be trained.
    pub fn trainable_prompt_generator<T: TrainablePromptGenerator>(&mut self) {
        self.add::<T>(Kind::PromptGenerator, true, endpoint::trainable_prompt_generator);
    }

    /// Adds a background generator.
    pub fn background_generator<T: BackgroundGenerator>(&mut self) {
        self.add::<T>(Kind::BackgroundGenerator, false, endpoint::background_generator);
    }

    /// Adds a reward model.
    pub fn reward_model<T: RewardModel>(&mut self) {
        self.add::<T>(Kind::RewardModel, false, endpoint::reward_model);
    }

    /// Adds a reward model that can be trained.
    pub fn trainable_reward_model<T: TrainableRewardModel>(&mut self) {
        self.add::<T>(Kind::RewardModel, true, endpoint::trainable_reward_model);
    }

    /// Adds an RL optimizer.
    pub fn rl_optimizer<T: RlOptimizer>(&mut self) {
        self.add::<T>(Kind::RlOptimizer, false, endpoint::rl_optimizer);
    }

    /// Adds an image embedder.
    pub fn image_embedder<T: ImageEmbedder>(&mut self) {
        self.add::<T>(Kind::ImageEmbedder, false, endpoint::image_embedder);
    }

    /// What the library says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Makes a component, without a way to stop it or to see how far it is.
    ///
    /// # Errors
    /// `InvalidRequest` for an unknown id, and whatever [`Component::create`] answers.
    pub fn create(
        &self,
        id: &str,
        parameters: &Value,
        environment: &Environment,
    ) -> Result<Box<dyn Endpoint>> {
        self.create_watched(id, parameters, environment, &CallContext::detached())
    }

    /// Makes a component; `cx` can cancel it and sees its progress.
    ///
    /// # Errors
    /// `InvalidRequest` for an unknown id, and whatever [`Component::create_watched`] answers.
    pub fn create_watched(
        &self,
        id: &str,
        parameters: &Value,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<Box<dyn Endpoint>> {
        let index = self.manifest.components.iter().position(|c| c.info.id == id).ok_or_else(|| {
            let known: Vec<_> = self.manifest.components.iter().map(|c| c.info.id.as_str()).collect();
            PluginError::invalid_request(format!(
                "library \"{}\" has no component \"{id}\"; it has: {}",
                self.manifest.library,
                known.join(", ")
            ))
        })?;
        (self.creators[index])(parameters, environment, cx)
    }
}
