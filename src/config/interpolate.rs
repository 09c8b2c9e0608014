//! Pieces of a template and the variables → [`Text`].

use std::ops::Range;

use super::{
    environment::Variables,
    suggest::suggest,
    template::{Otherwise, Piece, Reference},
    text::{Late, Part, Text},
};

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// A variable is not set, or is empty where that counts as not set.
    Missing {
        name: String,
        empty: bool,
        message: Option<String>,
        span: Range<usize>,
    },
    /// It can never be resolved at this place.
    Wrong {
        message: String,
        hint: String,
        span: Range<usize>,
    },
}

/// The text of these pieces, or every reference in them that leads nowhere. `late` says whether
/// what is known only when a container is made may be part of it.
pub(super) fn resolve(
    pieces: &[Piece],
    variables: &Variables,
    late: bool,
) -> Result<Text, Vec<Unresolved>> {
    let mut resolver = Resolver {
        variables,
        late,
        parts: Vec::new(),
        unresolved: Vec::new(),
    };
    for piece in pieces {
        resolver.piece(piece, false);
    }
    if resolver.unresolved.is_empty() {
        Ok(Text::from_parts(resolver.parts))
    } else {
        Err(resolver.unresolved)
    }
}

/// Whether these pieces write a secret out: as the default of one.
pub(super) fn writes_secret_out(pieces: &[Piece], variables: &Variables) -> bool {
    fn any(pieces: &[Piece], variables: &Variables, secret: bool) -> bool {
        pieces.iter().any(|piece| match piece {
            Piece::Literal(text) => secret && !text.is_empty(),
            Piece::Reference(Reference {
                name, otherwise, ..
            }) => match otherwise {
                Otherwise::Default(default) => {
                    any(default, variables, secret || variables.is_secret(name))
                }
                Otherwise::Required | Otherwise::Message(_) => false,
            },
        })
    }
    any(pieces, variables, false)
}

struct Resolver<'a> {
    variables: &'a Variables,
    late: bool,
    parts: Vec<Part>,
    unresolved: Vec<Unresolved>,
}

impl Resolver<'_> {
    /// `secret`: whether the piece is the default of a secret.
    fn piece(&mut self, piece: &Piece, secret: bool) {
        match piece {
            Piece::Literal(text) if secret => self.parts.push(Part::Hidden(text.clone())),
            Piece::Literal(text) => self.parts.push(Part::Literal(text.clone())),
            Piece::Reference(reference) if reference.name.contains('.') => self.late(reference),
            Piece::Reference(reference) => self.variable(reference, secret),
        }
    }

    fn variable(&mut self, reference: &Reference, secret: bool) {
        let name = &reference.name;
        let found = self.variables.get(name);
        if let Some(variable) = found
            && !(reference.refuse_empty && variable.value.is_empty())
        {
            return self.parts.push(Part::Variable {
                name: name.clone(),
                value: variable.value.clone(),
                secret: secret || self.variables.is_secret(name),
            });
        }
        if let Otherwise::Default(default) = &reference.otherwise {
            let secret = secret || self.variables.is_secret(name);
            return default.iter().for_each(|piece| self.piece(piece, secret));
        }
        self.unresolved.push(Unresolved::Missing {
            name: name.clone(),
            empty: found.is_some(),
            message: match &reference.otherwise {
                Otherwise::Message(message) if !message.is_empty() => Some(message.clone()),
                _ => None,
            },
            span: reference.span.clone(),
        });
    }

    fn late(&mut self, reference: &Reference) {
        let name = reference.name.as_str();
        let wrong = |message: String, hint: &str| Unresolved::Wrong {
            message,
            hint: hint.to_owned(),
            span: reference.span.clone(),
        };
        let known = Late::ALL.into_iter().find(|late| late.name() == name);
        match known {
            None => {
                let hint = suggest(name, Late::ALL.map(Late::name)).unwrap_or_else(|| {
                    "there are ${deploy.release}, ${deploy.replica} and ${deploy.pool}".to_owned()
                });
                self.unresolved
                    .push(wrong(format!("nothing is called `{name}`"), &hint));
            }
            Some(_) if reference.otherwise != Otherwise::Required => self.unresolved.push(wrong(
                format!("`{name}` is always set"),
                &format!("write ${{{name}}} without a default"),
            )),
            Some(_) if !self.late => self.unresolved.push(wrong(
                format!("`{name}` is not known yet where this is read"),
                "it can be used in `environment` and `labels` of a service",
            )),
            Some(late) => self.parts.push(Part::Late(late)),
        }
    }
}

#[cfg(test)]
mod tests;
