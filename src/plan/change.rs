//! What differs between what is recorded of a stack and what is wanted, in the words of
//! `sysndd.toml`, and as text.

use serde::Serialize;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// Keys as one would write them: `services.api.environment.LOG_LEVEL`. An image's ID and what is
    /// kept beside the file have names of their own: `services.api.image-id`, `files.…`.
    pub(crate) key: String,
    /// Absent when it came.
    pub(crate) before: Option<String>,
    /// Absent when it went.
    pub(crate) after: Option<String>,
    /// What is known of a difference whose two sides are not: a secret's value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unseen: Option<String>,
}

/// Longer values are cut.
const WIDEST: usize = 120;
/// As much of an image's ID as tells it from others.
const SHORT_ID: usize = 12;

impl Change {
    /// A line for what went, and one for what came; one for what cannot be shown.
    pub(crate) fn lines(&self) -> Vec<(Sign, String)> {
        let key = &self.key;
        if let Some(unseen) = &self.unseen {
            return vec![(Sign::Changed, format!("{key}: {unseen}"))];
        }
        let is_text = key.starts_with("files.");
        if is_text && let (Some(before), Some(after)) = (&self.before, &self.after) {
            let (before, after) = (before.lines().count(), after.lines().count());
            let lines = format!("{key}: another text, {before} lines before, {after} now");
            return vec![(Sign::Changed, lines)];
        }
        let line = |sign, value: &Option<String>| {
            let value = value.as_deref()?;
            Some((sign, format!("{key} = {}", short(value))))
        };
        let lines = [
            line(Sign::Went, &self.before),
            line(Sign::Came, &self.after),
        ];
        lines.into_iter().flatten().collect()
    }
}

/// What a line says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Went,
    Came,
    Changed,
}

impl Sign {
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Went => '-',
            Self::Came => '+',
            Self::Changed => '~',
        }
    }

    /// `line` behind this sign; coloured where standard output is a terminal.
    pub(crate) fn paint(self, line: &str) -> String {
        let style = match self {
            Self::Went => console::Style::new().red(),
            Self::Came => console::Style::new().green(),
            Self::Changed => console::Style::new().yellow(),
        };
        style
            .apply_to(format!("{} {line}", self.letter()))
            .to_string()
    }
}

fn short(value: &str) -> String {
    if let Some(id) = value.strip_prefix("sha256:") {
        return id.chars().take(SHORT_ID).collect();
    }
    let mut lines = value.lines();
    match (lines.next(), lines.next()) {
        (None, _) => String::new(),
        (Some(one), None) if one.chars().count() > WIDEST => {
            one.chars().take(WIDEST).chain(['…']).collect()
        }
        (Some(one), None) => one.to_owned(),
        (Some(_), Some(_)) => format!("({} lines)", value.lines().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, before: Option<&str>, after: Option<&str>) -> Change {
        Change {
            key: key.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            unseen: None,
        }
    }

    #[test]
    fn lines_say_what_went_what_came_and_what_cannot_be_shown() {
        let said = |change: Change| {
            let lines = change.lines().into_iter();
            let lines: Vec<String> = lines
                .map(|(sign, line)| format!("{} {line}", sign.letter()))
                .collect();
            lines.join("\n")
        };
        assert_eq!(
            said(change(
                "services.api.environment.LEVEL",
                Some("info"),
                Some("debug")
            )),
            "- services.api.environment.LEVEL = info\n+ services.api.environment.LEVEL = debug"
        );
        assert_eq!(
            said(change(
                "services.api.image-id",
                None,
                Some(&format!("sha256:{}", "ab".repeat(32)))
            )),
            "+ services.api.image-id = abababababab"
        );
        assert_eq!(
            said(change("files.templates/x", Some("a\nb"), Some("a"))),
            "~ files.templates/x: another text, 2 lines before, 1 now"
        );
        let secret = Change {
            unseen: Some("another value".to_owned()),
            ..change("secrets", None, None)
        };
        assert_eq!(said(secret), "~ secrets: another value");
        assert_eq!(
            said(change("k", None, Some(&"x".repeat(200)))),
            format!("+ k = {}…", "x".repeat(120))
        );
    }
}
