//! Which names and which parts of a value are secret. It looks at text only.

use std::ops::Range;

use super::text::{Part, Text};

/// Words that make a variable's name the name of a secret.
const WORDS: [&str; 17] = [
    "PASSWORD",
    "PASSWORDS",
    "PASSWD",
    "PASSPHRASE",
    "PASS",
    "SECRET",
    "SECRETS",
    "TOKEN",
    "TOKENS",
    "KEY",
    "KEYS",
    "APIKEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "CREDS",
    // Whoever knows the address may post to it.
    "WEBHOOK",
    "WEBHOOKS",
];

/// Last words that make it the name of a place instead: `DB_PASSWORD_FILE`.
const PLACES: [&str; 3] = ["FILE", "PATH", "DIR"];

/// Whether a variable of this name holds a secret: one of its words says so.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let mut words = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .map(str::to_ascii_uppercase);
    let place = words
        .clone()
        .next_back()
        .is_some_and(|last| PLACES.contains(&last.as_str()));
    !place && words.any(|word| WORDS.contains(&word.as_str()))
}

/// Where the password of a URL stands in a text: `scheme://user:password@`.
pub(crate) fn url_passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, separator) in text.match_indices("://") {
        let scheme = text[..at].chars().next_back();
        let start = at + separator.len();
        let rest = &text[start..];
        let authority = &rest[..rest
            .find(['/', '?', '#', ' ', '\t', '\n'])
            .unwrap_or(rest.len())];
        if let (Some(scheme), Some(end)) = (scheme, authority.rfind('@'))
            && scheme.is_ascii_alphanumeric()
            && let Some(colon) = authority[..end].find(':')
            && colon + 1 < end
        {
            found.push(start + colon + 1..start + end);
        }
    }
    found
}

/// The text as the value of a secret: everything in it that is not a reference is hidden. Values
/// that only switch something are no secrets.
pub(super) fn hide_all(text: Text) -> Text {
    const SWITCHES: [&str; 8] = ["", "0", "1", "yes", "no", "true", "false", "auto"];
    if SWITCHES.contains(&text.expose().to_ascii_lowercase().as_str()) {
        return text;
    }
    Text::from_parts(text.into_parts().into_iter().map(hide).collect())
}

/// The text with the passwords of its URLs hidden.
pub(super) fn hide_url_passwords(text: Text) -> Text {
    let passwords = url_passwords(&text.expose());
    if passwords.is_empty() {
        return text;
    }
    let mut at = 0;
    let mut parts = Vec::new();
    for part in text.into_parts() {
        let length = Text::from_parts(vec![part.clone()]).expose().len();
        let here = at..at + length;
        at = here.end;
        match part {
            Part::Literal(literal) => parts.extend(split(&literal, here.start, &passwords)),
            part if passwords
                .iter()
                .any(|span| span.start < here.end && here.start < span.end) =>
            {
                parts.push(hide(part));
            }
            part => parts.push(part),
        }
    }
    Text::from_parts(parts)
}

fn hide(part: Part) -> Part {
    match part {
        Part::Literal(text) => Part::Hidden(text),
        Part::Variable { name, value, .. } => Part::Variable {
            name,
            value,
            secret: true,
        },
        part @ (Part::Hidden(_) | Part::Late(_)) => part,
    }
}

/// A literal that begins at `offset` of the whole text, cut where a password begins and ends.
fn split(literal: &str, offset: usize, passwords: &[Range<usize>]) -> Vec<Part> {
    let end = offset + literal.len();
    let mut cuts: Vec<usize> = passwords
        .iter()
        .flat_map(|span| [span.start, span.end])
        .filter(|cut| (offset + 1..end).contains(cut))
        .collect();
    cuts.push(end);
    let mut from = offset;
    let mut parts = Vec::new();
    for to in cuts {
        if from < to {
            let piece = literal[from - offset..to - offset].to_owned();
            let secret = passwords
                .iter()
                .any(|span| span.start <= from && to <= span.end);
            parts.push(if secret {
                Part::Hidden(piece)
            } else {
                Part::Literal(piece)
            });
        }
        from = to;
    }
    parts
}

#[cfg(test)]
mod tests;
