//! Questions and answers for a prompt generator: JSON lines.

use serde::{Deserialize, Serialize};

/// A line of a file of lessons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// Id of the product.
    pub product: String,
    /// What is asked; absent: whatever the generator asks for a background prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The answer.
    pub answer: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
