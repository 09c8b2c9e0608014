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
    /// As written, and a secret by where it stands.
    Hidden(String),
    /// `${NAME}`, `${NAME:-default}` or `${NAME:?message}`, resolved.
    Variable {
        name: String,
        value: String,
        secret: bool,
    },
    /// `${deploy.release}`, `${deploy.replica}` or `${deploy.pool}`.
    Late(Late),
}

/// What is known only when a container is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    Release,
    Replica,
    /// A replica's share of the connections of `[deploy.pool]`. Known when the whole file is read, and
    /// written in its place then.
    Pool,
}

/// What is shown in place of a secret that has no name to be called by.
pub(crate) const MASK: &str = "***";

impl Late {
    pub(super) const ALL: [Self; 3] = [Self::Release, Self::Replica, Self::Pool];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Release => "deploy.release",
            Self::Replica => "deploy.replica",
            Self::Pool => "deploy.pool",
        }
    }
}

impl Text {
    /// Text of these parts. What is written beside each other becomes one part.
    pub(crate) fn from_parts(parts: Vec<Part>) -> Self {
        let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
        for part in parts {
            match (joined.last_mut(), part) {
                (Some(Part::Literal(text)), Part::Literal(more))
                | (Some(Part::Hidden(text)), Part::Hidden(more)) => text.push_str(&more),
                (_, part) => joined.push(part),
            }
        }
        Self { parts: joined }
    }

    /// Whether a masked secret was pasted back in as if it were the value.
    pub(super) fn holds_mask(&self) -> bool {
        let masked =
            |part: &Part| matches!(part, Part::Literal(text) | Part::Hidden(text) if text == MASK);
        self.parts.iter().any(masked)
    }

    /// Whether a secret is written out in it.
    pub(super) fn has_hidden(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Hidden(_)))
    }

    /// The pieces it is made of, for those who write it in another language.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether this is part of it.
    pub(super) fn has_late(&self, late: Late) -> bool {
        self.parts.contains(&Part::Late(late))
    }

    /// The same with this value for what was not known before.
    pub(super) fn with_late(self, late: Late, value: &str) -> Self {
        let known = |part| match part {
            Part::Late(found) if found == late => Part::Literal(value.to_owned()),
            part => part,
        };
        Self::from_parts(self.parts.into_iter().map(known).collect())
    }

    /// The pieces it is made of.
    pub(super) fn into_parts(self) -> Vec<Part> {
        self.parts
    }

    /// Text without any variable.
    pub(crate) fn literal(text: impl Into<String>) -> Self {
        Self {
            parts: vec![Part::Literal(text.into())],
        }
    }

    /// The value, secrets included, for the container `replica` of `release`.
    pub(crate) fn resolve(&self, release: &ReleaseId, replica: &ReplicaName) -> String {
        self.render(|part| match part {
            Part::Literal(text) | Part::Hidden(text) | Part::Variable { value: text, .. } => {
                text.clone()
            }
            Part::Late(Late::Release) => release.to_string(),
            Part::Late(Late::Replica) => replica.to_string(),
            Part::Late(late @ Late::Pool) => format!("${{{}}}", late.name()),
        })
    }

    /// The value, secrets included, where nothing late is expected; late parts stay references.
    /// It is the same for every replica and release: this is what the config hash is made of.
    pub(crate) fn expose(&self) -> String {
        self.render(|part| match part {
            Part::Literal(text) | Part::Hidden(text) | Part::Variable { value: text, .. } => {
                text.clone()
            }
            Part::Late(late) => format!("${{{}}}", late.name()),
        })
    }

    /// The text with secrets as references, or as `***` where they were written out: fit to be
    /// shown.
    pub(crate) fn masked(&self) -> String {
        self.without_secrets(str::to_owned)
    }

    /// The same as it would be written in `sysndd.toml`, a dollar sign doubled: fit to be recorded
    /// and read again.
    pub(crate) fn template(&self) -> String {
        self.without_secrets(|text| text.replace('$', "$$"))
    }

    fn without_secrets(&self, literal: impl Fn(&str) -> String) -> String {
        self.render(|part| match part {
            Part::Variable {
                name, secret: true, ..
            } => format!("${{{name}}}"),
            Part::Literal(text) | Part::Variable { value: text, .. } => literal(text),
            Part::Hidden(_) => MASK.to_owned(),
            Part::Late(late) => format!("${{{}}}", late.name()),
        })
    }

    /// The values of the secrets in it.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hidden(value)
            | Part::Variable {
                value,
                secret: true,
                ..
            } => Some(value.as_str()),
            Part::Literal(_) | Part::Variable { .. } | Part::Late(_) => None,
        })
    }

    /// Whether a secret is part of it.
    pub(crate) fn is_secret(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Variable { secret: true, .. } | Part::Hidden(_)))
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

/// Written as [`Text::template`].
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.template())
    }
}
