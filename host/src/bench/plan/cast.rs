//! The components of a suite at their places.

use super::super::keys::{key, weights_hash};
use super::super::pump::Opener;
use super::super::{BenchError, OpenComponent, Services};
use crate::store::ComponentUse;
use crate::suite::{Component, Entry, Judge, Metric, Optimizer, Suite};
use adeval_sdk::{CallContext, Determinism, Environment, Kind, PluginError};
use std::path::Path;

/// All that a suite's metrics need.
pub struct Cast<'a> {
    pub entries: Vec<PlannedEntry<'a>>,
    pub judges: Vec<PlannedJudge<'a>>,
    pub optimizers: Vec<PlannedOptimizer<'a>>,
    pub embedder: Option<PlannedComponent>,
}

pub struct PlannedEntry<'a> {
    pub entry: &'a Entry,
    pub prompt: PlannedComponent,
    pub background: PlannedComponent,
}

pub struct PlannedJudge<'a> {
    pub judge: &'a Judge,
    pub component: PlannedComponent,
}

pub struct PlannedOptimizer<'a> {
    pub optimizer: &'a Optimizer,
    pub component: PlannedComponent,
}

impl<'a> Cast<'a> {
    /// Asks `component` for the component of each place.
    pub fn new(
        suite: &'a Suite,
        component: impl Fn(Kind, String, &Component) -> Result<PlannedComponent, BenchError>,
    ) -> Result<Self, BenchError> {
        let entry = |entry: &'a Entry| {
            let user = |step| format!("entry \"{}\": {step}", entry.id);
            let (prompt, background) = (entry.prompt.component(), entry.background.component());
            Ok(PlannedEntry {
                entry,
                prompt: component(Kind::PromptGenerator, user("prompt"), &prompt)?,
                background: component(Kind::BackgroundGenerator, user("background"), &background)?,
            })
        };
        let judge = |judge: &'a Judge| {
            let user = format!("judge \"{}\"", judge.id);
            Ok(PlannedJudge { judge, component: component(Kind::RewardModel, user, &judge.component())? })
        };
        let optimizer = |optimizer: &'a Optimizer| {
            let user = format!("optimizer \"{}\"", optimizer.id);
            let component = component(Kind::RlOptimizer, user, &optimizer.component())?;
            Ok(PlannedOptimizer { optimizer, component })
        };
        let judged = suite.wants(Metric::WinRate) || suite.wants(Metric::PredictedCtr);
        let judges: &[Judge] = if judged { &suite.judges } else { &[] };
        let embedder = suite.embedder.as_ref().filter(|_| suite.has_distribution());
        Ok(Self {
            entries: suite.entries.iter().map(entry).collect::<Result<_, BenchError>>()?,
            judges: judges.iter().map(judge).collect::<Result<_, BenchError>>()?,
            optimizers: suite.optimizers.iter().map(optimizer).collect::<Result<_, BenchError>>()?,
            embedder: embedder
                .map(|used| component(Kind::ImageEmbedder, "embedder".into(), used))
                .transpose()?,
        })
    }

    /// Every component.
    pub fn all(&self) -> impl Iterator<Item = &PlannedComponent> {
        let entries = self.entries.iter().flat_map(|e| [&e.prompt, &e.background]);
        let judged = entries.chain(self.judges.iter().map(|j| &j.component)).chain(&self.embedder);
        judged.chain(self.optimizers.iter().map(|o| &o.component))
    }
}

/// A component at its place in the suite.
pub struct PlannedComponent {
    pub kind: Kind,
    /// The place, for people: `entry "a": prompt`.
    pub user: String,
    pub environment: Environment,
    pub usage: ComponentUse,
}

impl PlannedComponent {
    /// Opens it; its worker logs into `logs`, where there is such a folder.
    pub fn open(
        &self,
        services: &Services<'_>,
        logs: Option<&Path>,
    ) -> Result<Box<dyn OpenComponent>, PluginError> {
        let Self { kind, environment, usage, .. } = self;
        let (name, opener) = (&usage.component, Opener(services));
        services.plugins.open(*kind, name, &usage.parameters, environment, logs, &CallContext::new(&opener))
    }

    pub fn new(
        suite: &Suite,
        kind: Kind,
        user: String,
        component: &Component,
        services: &Services<'_>,
    ) -> Result<Self, BenchError> {
        let parameters = serde_json::Value::Object(component.parameters.clone());
        let failed = |error| BenchError::Plugin { user: user.clone(), error };
        let identity = services.plugins.identify(kind, &component.plugin, &parameters).map_err(failed)?;
        let weights = component.weights.as_ref().map(|path| suite.resolve(path));
        let weights_key = match &weights {
            None => String::new(),
            Some(path) => hashed(path).map_err(failed)?,
        };
        let settings = parameters.to_string();
        let mut parts =
            vec![&identity.library_hash, &component.plugin, &settings, &component.device, &weights_key];
        // A path that a parameter names may hold other weights tomorrow.
        let named = named_files(&parameters).into_iter().map(hashed).collect::<Result<Vec<_>, _>>();
        let named = named.map_err(failed)?;
        parts.extend(&named);
        let fingerprint = key(&parts.into_iter().map(String::as_str).collect::<Vec<_>>());
        Ok(Self {
            kind,
            user,
            environment: Environment { device: component.device.clone(), weights },
            usage: ComponentUse {
                component: component.plugin.clone(),
                library: identity.library,
                version: identity.version,
                library_hash: identity.library_hash,
                license: identity.license,
                determinism: Some(identity.determinism),
                parameters,
                fingerprint,
            },
        })
    }

    /// The same from what a run wrote of it.
    pub fn recorded(
        suite: &Suite,
        kind: Kind,
        user: String,
        component: &Component,
        usage: ComponentUse,
    ) -> Self {
        let weights = component.weights.as_ref().map(|path| suite.resolve(path));
        Self { kind, user, environment: Environment { device: component.device.clone(), weights }, usage }
    }

    /// What a reader of its numbers must know.
    pub fn caveat(&self) -> Option<String> {
        (self.usage.determinism == Some(Determinism::None)).then(|| {
            format!("{} does not promise to repeat itself: another run may differ.", self.usage.component)
        })
    }
}

/// The hash of a file or folder that a component reads.
fn hashed(path: &Path) -> Result<String, PluginError> {
    weights_hash(path).map_err(|e| {
        let message = format!("the weights {} cannot be read: {e}", path.display());
        PluginError::new(adeval_sdk::ErrorKind::MissingWeights, message)
    })
}

/// The files and folders that are there among the texts of parameters, at any depth.
fn named_files(parameters: &serde_json::Value) -> Vec<&Path> {
    match parameters {
        serde_json::Value::String(text) => {
            Some(Path::new(text)).filter(|path| path.exists()).into_iter().collect()
        }
        serde_json::Value::Array(items) => items.iter().flat_map(named_files).collect(),
        serde_json::Value::Object(fields) => fields.values().flat_map(named_files).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_at_any_depth_of_parameters() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let parameters = serde_json::json!({ "checkpoint": path, "nets": [path, "none/there"], "style": "luxury", "steps": 3 });
        assert_eq!(named_files(&parameters), [file.path(), file.path()]);
    }
}
