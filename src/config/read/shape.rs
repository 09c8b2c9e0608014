//! What a value may be: how it is read and how the schema describes it.

use std::{collections::BTreeMap, ops::Range};

use serde_json::{Value as Json, json};
use toml::{Spanned, de::DeValue};

use super::{pass::Pass, place::Place, scalar::Problem};

/// A kind of value.
pub(in crate::config) trait Shape {
    /// What it reads as.
    type Out;

    /// Its JSON Schema.
    fn schema(&self) -> Json;

    /// Whether a value of this TOML type could be one; only [`either`] asks.
    fn accepts(&self, value: &DeValue<'_>) -> bool;

    /// Reads a value. `None` after noting at least one fault, or a missing variable.
    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<Self::Out>;
}

/// A value of the document and where it stands.
pub(in crate::config) struct Node<'a> {
    pub(in crate::config) value: &'a Spanned<DeValue<'a>>,
    pub(in crate::config) place: Place,
}

impl Node<'_> {
    pub(in crate::config) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    /// Notes that something else was expected here.
    pub(super) fn expected<T>(&self, expected: &str, pass: &mut Pass<'_>) -> Option<T> {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        pass.fault_at(
            &self.place,
            format!("`{}` is {found}", self.place),
            format!("write {expected}"),
        );
        None
    }
}

/// `[…]` of one kind of value. An item at fault is left out.
pub(in crate::config) fn list<S: Shape>(item: S) -> List<S> {
    List(item)
}

pub(in crate::config) struct List<S>(S);

impl<S: Shape> Shape for List<S> {
    type Out = Vec<S::Out>;

    fn schema(&self) -> Json {
        json!({ "type": "array", "items": self.0.schema() })
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        value.is_array()
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<Self::Out> {
        let Some(items) = node.value.get_ref().as_array() else {
            return node.expected("a list: [\"…\", \"…\"]", pass);
        };
        let mut out = Vec::new();
        let mut places = Vec::new();
        for (index, value) in items.iter().enumerate() {
            let place = node.place.index(index);
            pass.visit(place.clone(), None, value.span());
            let item = Node { value, place };
            if let Some(read) = self.0.read(&item, pass) {
                out.push(read);
                places.push(item.place);
            }
        }
        pass.visit_items(node.place.clone(), places);
        Some(out)
    }
}

/// A table whose keys are names given by the author, which `name` approves of.
pub(in crate::config) fn map<S: Shape>(
    name: fn(&str) -> Result<(), Problem>,
    name_pattern: &'static str,
    value: S,
) -> Named<S> {
    Named {
        name,
        name_pattern,
        value,
    }
}

pub(in crate::config) struct Named<S> {
    name: fn(&str) -> Result<(), Problem>,
    name_pattern: &'static str,
    value: S,
}

impl<S: Shape> Shape for Named<S> {
    type Out = BTreeMap<String, S::Out>;

    fn schema(&self) -> Json {
        json!({
            "type": "object",
            "propertyNames": { "pattern": self.name_pattern },
            "additionalProperties": self.value.schema(),
        })
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        value.is_table()
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<Self::Out> {
        let Some(entries) = node.value.get_ref().as_table() else {
            return node.expected("a table: { name = … }", pass);
        };
        let mut out = BTreeMap::new();
        for (key, value) in entries {
            let place = node.place.key(key.get_ref());
            pass.visit(place.clone(), Some(key.span()), value.span());
            if let Err(problem) = (self.name)(key.get_ref()) {
                pass.fault(key.span(), problem.message, problem.hint);
            }
            if let Some(value) = self.value.read(&Node { value, place }, pass) {
                out.insert(key.get_ref().to_string(), value);
            }
        }
        Some(out)
    }
}

/// One kind of value or another, told apart by their TOML types.
pub(in crate::config) fn either<A: Shape, B: Shape<Out = A::Out>>(a: A, b: B) -> Either<A, B> {
    Either(a, b)
}

pub(in crate::config) struct Either<A, B>(A, B);

impl<A: Shape, B: Shape<Out = A::Out>> Shape for Either<A, B> {
    type Out = A::Out;

    fn schema(&self) -> Json {
        json!({ "anyOf": [self.0.schema(), self.1.schema()] })
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        self.0.accepts(value) || self.1.accepts(value)
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<Self::Out> {
        if self.0.accepts(node.value.get_ref()) {
            self.0.read(node, pass)
        } else {
            self.1.read(node, pass)
        }
    }
}

/// A kind of value, made into something else; `make` may note faults of its own.
pub(in crate::config) fn then<S: Shape, T, F>(shape: S, make: F) -> Then<S, F>
where
    F: Fn(S::Out, &Place, &mut Pass<'_>) -> Option<T>,
{
    Then { shape, make }
}

pub(in crate::config) struct Then<S, F> {
    shape: S,
    make: F,
}

impl<S: Shape, T, F> Shape for Then<S, F>
where
    F: Fn(S::Out, &Place, &mut Pass<'_>) -> Option<T>,
{
    type Out = T;

    fn schema(&self) -> Json {
        self.shape.schema()
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        self.shape.accepts(value)
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<T> {
        let value = self.shape.read(node, pass)?;
        (self.make)(value, &node.place, pass)
    }
}
