//! Tables with known keys.

use std::ops::Range;

use serde_json::{Map, Value as Json, json};
use toml::de::{DeTable, DeValue};

use super::{
    pass::Pass,
    place::Place,
    shape::{Node, Shape},
};
use crate::config::files::Needed;
use crate::config::suggest::{list, nearest, suggest_or_list};

/// A table that is being read, or that describes itself.
///
/// Take every key before using any: a key that was not asked for is an unknown one.
pub(in crate::config) struct Table<'t, 'p> {
    mode: Mode<'t, 'p>,
    properties: Map<String, Json>,
    required: Vec<&'static str>,
}

enum Mode<'t, 'p> {
    Read {
        entries: &'t DeTable<'t>,
        span: Range<usize>,
        place: Place,
        pass: &'t mut Pass<'p>,
    },
    Describe,
}

impl Table<'_, '_> {
    /// A key that may be absent. `about` says in the schema what it does, its default included.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a shape is made where its key is"
    )]
    pub(in crate::config) fn optional<S: Shape>(
        &mut self,
        key: &'static str,
        about: &'static str,
        shape: S,
    ) -> Option<S::Out> {
        match &mut self.mode {
            Mode::Read {
                entries,
                place,
                pass,
                ..
            } => {
                self.properties.insert(key.to_owned(), Json::Null);
                let (written, value) = entries
                    .iter()
                    .find(|(written, _)| written.get_ref() == key)?;
                let place = place.key(key);
                pass.visit(place.clone(), Some(written.span()), value.span());
                shape.read(&Node { value, place }, pass)
            }
            Mode::Describe => {
                let mut schema = shape.schema();
                if let Some(object) = schema.as_object_mut() {
                    object.insert("description".to_owned(), about.into());
                }
                self.properties.insert(key.to_owned(), schema);
                None
            }
        }
    }

    /// A key that must be there.
    pub(in crate::config) fn required<S: Shape>(
        &mut self,
        key: &'static str,
        about: &'static str,
        shape: S,
    ) -> Option<S::Out> {
        self.required.push(key);
        self.optional(key, about, shape)
    }

    /// Leaves these keys, if they are there, to whoever reads the whole table.
    pub(in crate::config) fn leave<const N: usize>(&mut self, keys: [&'static str; N]) {
        let keys = keys.into_iter();
        self.properties
            .extend(keys.map(|key| (key.to_owned(), Json::Null)));
    }

    /// Which of these keys are written, at fault or not.
    pub(in crate::config) fn written<const N: usize>(
        &self,
        keys: [&'static str; N],
    ) -> Vec<&'static str> {
        match &self.mode {
            Mode::Read { entries, .. } => keys
                .into_iter()
                .filter(|key| entries.keys().any(|there| there.get_ref() == key))
                .collect(),
            Mode::Describe => Vec::new(),
        }
    }

    /// Notes a fault of one of the keys, or of the table when `key` is empty.
    pub(in crate::config) fn fault(&mut self, key: &str, message: impl Into<String>, hint: &str) {
        if let Mode::Read { place, pass, .. } = &mut self.mode {
            let place = if key.is_empty() {
                place.clone()
            } else {
                place.key(key)
            };
            pass.fault_of(&place, message, hint);
        }
    }

    /// Asks for something on disk, because of one of the keys.
    pub(in crate::config) fn need(&mut self, key: &str, needed: Needed) {
        if let Mode::Read { place, pass, .. } = &mut self.mode {
            let place = place.key(key);
            pass.need(needed, &place);
        }
    }

    /// Last key of where the table stands: its name, where the author gives names.
    pub(in crate::config) fn name(&self) -> String {
        match &self.mode {
            Mode::Read { place, .. } => place.last_key().to_owned(),
            Mode::Describe => String::new(),
        }
    }

    /// Complains about keys that are missing and about those nobody asked for.
    fn finish(self) {
        let Mode::Read {
            entries,
            span,
            place,
            pass,
        } = self.mode
        else {
            return;
        };
        let known = || self.properties.keys().map(String::as_str);
        let unknown = entries
            .keys()
            .filter(|key| !self.properties.contains_key(key.get_ref().as_ref()));
        let mut meant = Vec::new();
        for key in unknown {
            meant.extend(nearest(key.get_ref(), known()));
            let hint = suggest_or_list(key.get_ref(), known(), SEE_SCHEMA);
            let message = format!("unknown key `{}`", place.key(key.get_ref()));
            pass.fault(key.span(), message, Some(hint));
        }
        // A key that was only misspelt is not missing as well.
        let missing: Vec<&str> = self
            .required
            .into_iter()
            .filter(|key| !entries.keys().any(|written| written.get_ref() == key))
            .filter(|key| !meant.contains(key))
            .collect();
        let hint = match missing.as_slice() {
            [] => return,
            [key] => format!("add `{key} = …`"),
            [_, ..] => format!("add them; {SEE_SCHEMA}"),
        };
        if place.is_root() {
            let message = format!("the file has no {}", list(&missing));
            pass.fault(span.start..span.start, message, Some(hint));
        } else {
            pass.fault_of(&place, format!("`{place}` has no {}", list(&missing)), hint);
        }
    }
}

const SEE_SCHEMA: &str = "`sysndd-deploy config schema` says what each key means";

/// A table that `read` takes the keys of, and that means something even when some are at fault.
pub(in crate::config) fn table<T>(
    read: impl Fn(&mut Table<'_, '_>) -> T,
) -> TableOf<impl Fn(&mut Table<'_, '_>) -> Option<T>> {
    TableOf(move |t: &mut Table<'_, '_>| Some(read(t)))
}

/// A table that means nothing unless all its required keys are right.
pub(in crate::config) fn whole_table<T, F>(read: F) -> TableOf<F>
where
    F: Fn(&mut Table<'_, '_>) -> Option<T>,
{
    TableOf(read)
}

pub(in crate::config) struct TableOf<F>(F);

impl<T, F: Fn(&mut Table<'_, '_>) -> Option<T>> Shape for TableOf<F> {
    type Out = T;

    fn schema(&self) -> Json {
        let mut description = Table {
            mode: Mode::Describe,
            properties: Map::new(),
            required: Vec::new(),
        };
        // What is read from nothing is of no interest, only what was asked for.
        let _ = (self.0)(&mut description);
        let mut schema = json!({
            "type": "object",
            "properties": description.properties,
            "additionalProperties": false,
        });
        if !description.required.is_empty() {
            schema["required"] = description.required.into();
        }
        schema
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        value.is_table()
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<T> {
        let Some(entries) = node.value.get_ref().as_table() else {
            return node.expected("a table: { key = … }", pass);
        };
        let mut table = Table {
            mode: Mode::Read {
                entries,
                span: node.span(),
                place: node.place.clone(),
                pass,
            },
            properties: Map::new(),
            required: Vec::new(),
        };
        let out = (self.0)(&mut table);
        table.finish();
        out
    }
}

/// Schema of a whole file whose top is this table.
pub(in crate::config) fn root_schema<S: Shape>(root: &S, title: &str) -> Json {
    let mut schema = root.schema();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = title.into();
    schema
}
