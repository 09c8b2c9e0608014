//! Names that authors give: of services and volumes, of variables, labels and events.

use crate::config::read::Problem;

/// Pattern of a name that is used in names of containers and in DNS.
pub(in crate::config) const NAME_PATTERN: &str = "^[a-z0-9][a-z0-9_-]*$";

/// A name that is used in names of containers and in DNS.
pub(in crate::config) fn name(text: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if !text.is_empty() && !text.starts_with(['_', '-']) && text.chars().all(allowed) {
        return Ok(());
    }
    Err(Problem::new(
        format!("`{text}` cannot be a name"),
        "names are made of a-z, 0-9, - and _ and begin with a letter or digit; containers and DNS use them",
    ))
}

/// Pattern of a variable's name.
pub(in crate::config) const VARIABLE_PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_.-]*$";

/// The name of a variable.
pub(in crate::config) fn variable(text: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(allowed)
    {
        return Ok(());
    }
    Err(Problem::new(
        format!("`{text}` is not a variable's name"),
        "names are made of letters, digits, _, . and - and do not begin with a digit",
    ))
}

/// Labels that start with this are the CLI's own.
const RESERVED_LABELS: &str = "dev.sysndd.";

/// Pattern of a label's name.
pub(in crate::config) const LABEL_PATTERN: &str = "^[^\\s=]+$";

/// The name of a label that is not one of ours.
pub(in crate::config) fn label(text: &str) -> Result<(), Problem> {
    if text.starts_with(RESERVED_LABELS) {
        let message =
            format!("labels that begin with `{RESERVED_LABELS}` are set by sysndd-deploy");
        return Err(Problem::new(message, "choose another name"));
    }
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c == '=') {
        return Err(Problem::new(
            format!("`{text}` is not a label's name"),
            "it has no blanks and no =",
        ));
    }
    Ok(())
}

/// Pattern of an event's name.
pub(in crate::config) const EVENT_PATTERN: &str = "^[a-z_]+\\.[a-z_]+$";

/// The name of a startup event.
pub(in crate::config) fn event(text: &str) -> Result<(), Problem> {
    let word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    match text.split_once('.') {
        Some((subject, verb)) if word(subject) && word(verb) => Ok(()),
        _ => Err(Problem::new(
            format!("`{text}` is not an event's name"),
            "write it in quotes and with one dot: \"startup.ready\"",
        )),
    }
}
