//! The secrets of a stack, to look for them where they must not be. Their values are never told.

use std::collections::BTreeMap;

use crate::config::{Part, Stack, Text};

/// What is shorter stands in any text by chance.
const SHORTEST: usize = 8;

/// Secrets by value, each with a name to call it by.
pub(super) struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// All that the stack gives to its containers and uses itself.
    pub(super) fn of(stack: &Stack) -> Self {
        let services = stack.services.iter().flat_map(|(service, found)| {
            let place = move |key: &String| format!("services.{service}.environment.{key}");
            found
                .environment
                .iter()
                .map(move |(key, text)| (place(key), text))
        });
        let migrations = stack.migrations.iter();
        let database = migrations.map(|found| ("migrations.database".to_owned(), &found.database));
        let notify = stack.notify.iter();
        let webhook = notify.map(|found| ("notify.webhook".to_owned(), &found.webhook));
        let mut secrets = Self(BTreeMap::new());
        for (place, text) in services.chain(database).chain(webhook) {
            secrets.add_all(&place, text);
        }
        secrets
    }

    fn add_all(&mut self, place: &str, text: &Text) {
        for part in text.parts() {
            match part {
                Part::Hidden(value) => self.add(place, value),
                Part::Variable {
                    name,
                    value,
                    secret: true,
                } => self.add(name, value),
                Part::Literal(_) | Part::Variable { .. } | Part::Late(_) => {}
            }
        }
    }

    /// Adds one; the first name of a value stays.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        if value.len() >= SHORTEST {
            self.0
                .entry(value.to_owned())
                .or_insert_with(|| name.to_owned());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Names of those that stand in `text`.
    pub(super) fn in_text(&self, text: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(value, _)| text.contains(value.as_str()))
            .map(|(_, name)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_by_value_and_told_by_name() {
        let mut secrets = Secrets(BTreeMap::new());
        let text = Text::from_parts(vec![
            Part::Literal("mysql://app:".into()),
            Part::Variable {
                name: "DB_PASSWORD".into(),
                value: "correct-horse".into(),
                secret: true,
            },
            Part::Literal("@db".into()),
        ]);
        secrets.add_all("services.api.environment.URL", &text);
        secrets.add_all(
            "services.api.environment.KEY",
            &Text::from_parts(vec![Part::Hidden("battery-staple".into())]),
        );
        let found = |text| secrets.in_text(text).collect::<Vec<_>>();
        assert_eq!(found("login with correct-horse failed"), ["DB_PASSWORD"]);
        assert_eq!(found("k=battery-staple"), ["services.api.environment.KEY"]);
        assert_eq!(found("mysql://app:***@db"), [""; 0]);
    }

    #[test]
    fn what_stands_anywhere_by_chance_is_not_looked_for() {
        let mut secrets = Secrets(BTreeMap::new());
        secrets.add("SHORT", "secret");
        assert_eq!(secrets.len(), 0);
    }
}
