//! Text with its origin: which parts were literal, which came from a variable, and which are only
//! known when a container is made.
//!
//! A value keeps its references, so that it can be shown and recorded without its secrets.

use std::fmt;

use serde::{Serialize, Serializer};
use sysndd_protocol::{ReleaseId, ReplicaName};

/// Interpolated text.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Text {
    parts: Vec<Part>,
}

/// A piece of a [`Text`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// As written.
    Literal(String),
    /// `${NAME}`, `${NAME:-default}` or `${NAME:?message}`, resolved.
    Variable { name: String, value: String, secret: bool },
    /// `${deploy.release}` or `${deploy.replica}`.
    Late(Late),
}

/// What is known only when a container is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    Release,
    Replica,
}

impl Late {
    fn name(self) -> &'static str {
        match self {
            Self::Release => "deploy.release",
            Self::Replica => "deploy.replica",
        }
    }
}

impl Text {
    /// Text of these parts.
    pub(crate) fn from_parts(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    /// Text without any variable.
    pub(crate) fn literal(text: impl Into<String>) -> Self {
        Self { parts: vec![Part::Literal(text.into())] }
    }

    /// The value, secrets included, for the container `replica` of `release`.
    pub(crate) fn resolve(&self, release: &ReleaseId, replica: &ReplicaName) -> String {
        self.render(|part| match part {
            Part::Literal(text) | Part::Variable { value: text, .. } => text.clone(),
            Part::Late(Late::Release) => release.to_string(),
            Part::Late(Late::Replica) => replica.to_string(),
        })
    }

    /// The value, secrets included, where nothing late is expected; late parts stay references.
    /// It is the same for every replica and release: this is what the config hash is made of.
    pub(crate) fn expose(&self) -> String {
        self.render(|part| match part {
            Part::Literal(text) | Part::Variable { value: text, .. } => text.clone(),
            Part::Late(late) => format!("${{{}}}", late.name()),
        })
    }

    /// The text with secrets as references: fit to be shown and recorded.
    pub(crate) fn masked(&self) -> String {
        self.render(|part| match part {
            Part::Variable { name, secret: true, .. } => format!("${{{name}}}"),
            Part::Literal(text) | Part::Variable { value: text, .. } => text.clone(),
            Part::Late(late) => format!("${{{}}}", late.name()),
        })
    }

    /// Whether a secret is part of it.
    pub(crate) fn is_secret(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Variable { secret: true, .. }))
    }

    fn render(&self, part: impl Fn(&Part) -> String) -> String {
        self.parts.iter().map(part).collect()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.masked())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}
