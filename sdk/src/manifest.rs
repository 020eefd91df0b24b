//! What a library says of itself, and the version of the contract.

use crate::{ComponentInfo, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The contract's own version, apart from any crate's.
///
/// A host serves every plugin of its own major version, older minors included; a newer minor may only add
/// methods and optional fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ContractVersion {
    /// Changes break plugins.
    pub major: u32,
    /// Changes add to the contract.
    pub minor: u32,
}

impl ContractVersion {
    /// The version of this sdk.
    pub const CURRENT: Self = Self { major: 1, minor: 1 };

    /// Whether a host of this version can use a plugin that was built for `plugin`.
    pub const fn serves(self, plugin: Self) -> bool {
        plugin.major == self.major && plugin.minor <= self.minor
    }

    /// As one number: `major << 16 | minor`, which is what a library exports.
    pub const fn packed(self) -> u32 {
        self.major << 16 | self.minor
    }

    /// From [`ContractVersion::packed`].
    pub const fn unpack(packed: u32) -> Self {
        Self { major: packed >> 16, minor: packed & 0xffff }
    }
}

impl std::fmt::Display for ContractVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The optional abilities of this sdk's shim, by name.
pub const FEATURES: [&str; 6] = ["batch", "cancel", "progress", "train", WARM_UP, INSTRUCTIONS];

/// The feature of [`Component::warm_up`](crate::Component::warm_up), since contract 1.1.
pub const WARM_UP: &str = "warm-up";

/// The feature of [`TrainablePromptGenerator::accumulate_instructions`](crate::TrainablePromptGenerator::accumulate_instructions) and
/// of its losses, since contract 1.1.
pub const INSTRUCTIONS: &str = "instructions";

/// What a library exports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// Name of the library's crate.
    pub library: String,
    /// Version of the library's crate.
    pub version: String,
    /// The contract that it was built against.
    pub contract: ContractVersion,
    /// Optional abilities that its shim has; unknown names are to be ignored.
    pub features: Vec<String>,
    /// Its components.
    pub components: Vec<ComponentManifest>,
}

impl Manifest {
    /// Whether the library's shim has this ability, one of [`FEATURES`] or of a later contract.
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|f| f == feature)
    }
}

/// One component of a library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComponentManifest {
    /// Which of the five.
    pub kind: Kind,
    /// What its author says of it.
    #[serde(flatten)]
    pub info: ComponentInfo,
    /// Whether it implements the trainable half of its kind.
    pub trainable: bool,
    /// JSON schema of its parameters, made from their type.
    pub parameters: serde_json::Value,
    /// The parameters' defaults.
    pub defaults: serde_json::Value,
}
