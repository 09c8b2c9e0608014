//! Single values: text, numbers, switches, words.

use std::{marker::PhantomData, ops::RangeInclusive};

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::{
    pass::Pass,
    shape::{Node, Shape},
};
use crate::config::{
    secrets::{hide_all, hide_url_passwords, is_secret_name},
    suggest::{list, suggest},
    text::{MASK, Text},
};

/// Why a text is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Problem {
    pub(in crate::config) message: String,
    pub(in crate::config) hint: Option<String>,
}

impl Problem {
    pub(in crate::config) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

/// Text that may hold references to variables, secrets too.
pub(in crate::config) fn text() -> Words {
    Words {
        late: false,
        any: false,
    }
}

/// Text that may also hold what is known only when a container is made. Numbers and switches are
/// taken as text.
pub(in crate::config) fn late_text() -> Words {
    Words {
        late: true,
        any: true,
    }
}

/// Text that may hold references to variables; numbers and switches are taken as text.
pub(in crate::config) fn any_text() -> Words {
    Words {
        late: false,
        any: true,
    }
}

pub(in crate::config) struct Words {
    late: bool,
    any: bool,
}

impl Shape for Words {
    type Out = Text;

    fn schema(&self) -> Json {
        if self.any {
            json!({ "type": ["string", "number", "boolean"] })
        } else {
            json!({ "type": "string" })
        }
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        match value {
            DeValue::String(_) => true,
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => self.any,
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => false,
        }
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<Text> {
        let text = match node.value.get_ref() {
            DeValue::String(text) => {
                pass.interpolate(text, &node.place, &node.span(), self.late)?
            }
            DeValue::Integer(integer) if self.any => Text::literal(integer.to_string()),
            DeValue::Float(float) if self.any => Text::literal(float.to_string()),
            DeValue::Boolean(switch) if self.any => Text::literal(switch.to_string()),
            _ => return node.expected("text in quotes", pass),
        };
        let text = hide_url_passwords(text);
        let by_name = is_secret_name(node.place.last_key()) && hide_all(text.clone()).has_hidden();
        if text.has_hidden() || by_name {
            pass.hide(&node.place, node.span());
        }
        if text.holds_mask() {
            pass.fault_at(
                &node.place,
                format!("`{MASK}` stands for a secret that was not shown"),
                "write a reference in its place, such as ${DB_PASSWORD}",
            );
            return None;
        }
        Some(text)
    }
}

/// Text that is shown and recorded as it is, so that it must hold no secret.
pub(in crate::config) fn plain() -> Parsed<String> {
    parsed(json!({ "type": "string" }), |text| Ok(text.to_owned()))
}

/// Text that reads as something else. It is shown and recorded, so it must hold no secret.
pub(in crate::config) fn parsed<T>(
    schema: Json,
    parse: fn(&str) -> Result<T, Problem>,
) -> Parsed<T> {
    Parsed { schema, parse }
}

pub(in crate::config) struct Parsed<T> {
    schema: Json,
    parse: fn(&str) -> Result<T, Problem>,
}

impl<T> Shape for Parsed<T> {
    type Out = T;

    fn schema(&self) -> Json {
        self.schema.clone()
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        value.is_str()
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<T> {
        if !self.accepts(node.value.get_ref()) {
            let example = self.schema["examples"][0].as_str();
            let example = example.map(|example| format!(", such as {example:?}"));
            return node.expected(
                &format!("text in quotes{}", example.unwrap_or_default()),
                pass,
            );
        }
        let text = without_secret(node, pass)?;
        match (self.parse)(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                pass.fault(node.span(), problem.message, problem.hint);
                None
            }
        }
    }
}

fn without_secret(node: &Node<'_>, pass: &mut Pass<'_>) -> Option<String> {
    let text = text().read(node, pass)?;
    if text.is_secret() {
        pass.fault_at(
            &node.place,
            format!("a secret in `{}` would be shown to everyone", node.place),
            "hand it over in `environment`",
        );
        return None;
    }
    Some(text.expose())
}

/// One of a few words.
pub(in crate::config) fn choice<T: Copy>(choices: &'static [(&'static str, T)]) -> Choice<T> {
    Choice(choices)
}

pub(in crate::config) struct Choice<T: 'static>(&'static [(&'static str, T)]);

impl<T: Copy> Shape for Choice<T> {
    type Out = T;

    fn schema(&self) -> Json {
        let words: Vec<&str> = self.0.iter().map(|(word, _)| *word).collect();
        json!({ "anyOf": [{ "enum": words }, REFERENCE.clone()] })
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        value.is_str()
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<T> {
        let written = without_secret(node, pass)?;
        let found = self.0.iter().find(|(word, _)| *word == written);
        if found.is_none() {
            let words: Vec<&str> = self.0.iter().map(|(word, _)| *word).collect();
            let hint = suggest(&written, words.iter().copied())
                .unwrap_or_else(|| format!("write one of {}", list(&words)));
            pass.fault_at(
                &node.place,
                format!("`{}` cannot be `{written}`", node.place),
                hint,
            );
        }
        found.map(|(_, value)| *value)
    }
}

/// Schema of a text that holds a reference, where something else than text is expected.
static REFERENCE: std::sync::LazyLock<Json> =
    std::sync::LazyLock::new(|| json!({ "type": "string", "pattern": "\\$\\{" }));

/// A whole number in a range, or text whose references resolve to one.
pub(in crate::config) fn integer<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> Integer<T> {
    Integer {
        range,
        references: true,
        reads_as: PhantomData,
    }
}

/// A whole number in a range, and no text: the other half of [`super::either`] reads that, and what
/// its references resolve to.
pub(in crate::config) fn bare_integer<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> Integer<T> {
    Integer {
        references: false,
        ..integer(range)
    }
}

pub(in crate::config) struct Integer<T> {
    range: RangeInclusive<u64>,
    references: bool,
    reads_as: PhantomData<T>,
}

impl<T: TryFrom<u64>> Shape for Integer<T> {
    type Out = T;

    fn schema(&self) -> Json {
        let number = json!({ "type": "integer", "minimum": self.range.start(), "maximum": self.range.end() });
        if !self.references {
            return number;
        }
        json!({ "anyOf": [number, REFERENCE.clone()] })
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        value.is_integer() || (self.references && is_reference(value))
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<T> {
        let (low, high) = (self.range.start(), self.range.end());
        let number = match node.value.get_ref() {
            DeValue::Integer(integer) => {
                u64::from_str_radix(integer.as_str(), integer.radix()).ok()
            }
            value if is_reference(value) => without_secret(node, pass)?.trim().parse().ok(),
            _ => {
                return node.expected(
                    &format!("a number from {low} to {high}, without quotes"),
                    pass,
                );
            }
        };
        let number = number
            .filter(|number| self.range.contains(number))
            .and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            pass.fault_at(
                &node.place,
                format!("`{}` is out of range", node.place),
                format!("write a number from {low} to {high}"),
            );
        }
        number
    }
}

/// A number above 0, or text that reads as one.
pub(in crate::config) fn number() -> Number {
    Number
}

pub(in crate::config) struct Number;

impl Shape for Number {
    type Out = f64;

    fn schema(&self) -> Json {
        json!({ "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "type": "string" }] })
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        value.is_integer() || value.is_float() || value.is_str()
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<f64> {
        let written = match node.value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().to_owned(),
            DeValue::Float(float) => float.as_str().to_owned(),
            DeValue::String(_) => without_secret(node, pass)?,
            _ => return node.expected("a number such as 0.5", pass),
        };
        let number = written
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite() && *number > 0.0);
        if number.is_none() {
            pass.fault_at(
                &node.place,
                format!("`{written}` is not a number above 0"),
                "write a number such as 0.5 or 2",
            );
        }
        number
    }
}

/// `true` or `false`, or text whose references resolve to one.
pub(in crate::config) fn boolean() -> Switch {
    Switch
}

pub(in crate::config) struct Switch;

impl Shape for Switch {
    type Out = bool;

    fn schema(&self) -> Json {
        json!({ "anyOf": [{ "type": "boolean" }, REFERENCE.clone()] })
    }

    fn accepts(&self, value: &DeValue<'_>) -> bool {
        value.is_bool() || is_reference(value)
    }

    fn read(&self, node: &Node<'_>, pass: &mut Pass<'_>) -> Option<bool> {
        match node.value.get_ref() {
            DeValue::Boolean(switch) => Some(*switch),
            value if is_reference(value) => {
                let written = without_secret(node, pass)?;
                let switch = written.parse().ok();
                if switch.is_none() {
                    let message = format!("`{written}` is neither true nor false");
                    pass.fault_at(&node.place, message, "set the variable to true or false");
                }
                switch
            }
            _ => node.expected("true or false, without quotes", pass),
        }
    }
}

/// Whether a value is text that may resolve to something else than text.
fn is_reference(value: &DeValue<'_>) -> bool {
    value.as_str().is_some_and(|text| text.contains("${"))
}
