//! The name of a model on the hub.

use crate::{CheckpointError, ErrorKind};
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// `org/name` or `org/name@revision`; the revision is a branch, a tag or a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    /// `org/name`; a few old models have no org.
    pub name: String,
    /// Without it, `main`.
    pub revision: Option<String>,
}

impl Id {
    /// The revision, `main` without one.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// The folder of the model in a cache.
    pub(super) fn folder(&self) -> String {
        format!("models--{}", self.name.replace('/', "--"))
    }
}

impl FromStr for Id {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        let is_part = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && !part.contains("..")
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let sound = (1..=2).contains(&name.split('/').count())
            && name.split('/').all(is_part)
            && revision.is_none_or(|revision| revision.split('/').all(is_part));
        if !sound {
            let message = format!("\"{text}\" is no id of a model on the hub");
            let mend = "ids look like org/name or org/name@revision, with letters, digits, dots, dashes and underscores";
            return Err(CheckpointError::new(ErrorKind::Hub, message, mend));
        }
        Ok(Self { name: name.to_owned(), revision: revision.map(str::to_owned) })
    }
}

impl Display for Id {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match &self.revision {
            Some(revision) => write!(f, "{}@{revision}", self.name),
            None => f.write_str(&self.name),
        }
    }
}
