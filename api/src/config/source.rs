//! Where settings come from: environment variables, each with a `…_FILE` twin.
//!
//! A fault is collected, not returned, so that one run reports all of them. A value that was not
//! accepted is never repeated in a fault: it may be a secret in the wrong variable.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// All that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Faults(Vec<Fault>);

/// One variable and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    variable: String,
    message: String,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(
            f,
            "{count} fault{} in the configuration",
            if count == 1 { "" } else { "s" }
        )?;
        for fault in &self.0 {
            write!(f, "\n  {}: {}", fault.variable, fault.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The variables of this process, and what was found wrong with those that were read.
pub(crate) struct Source {
    variables: BTreeMap<String, String>,
    known: BTreeSet<String>,
    faults: Vec<Fault>,
}

impl Source {
    /// Takes the environment of this process. Values that are not UTF-8 count as unset.
    pub(crate) fn from_process() -> Self {
        Self::new(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// Takes the given variables. An empty value counts as unset, as Compose files have it.
    pub(crate) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            variables: variables
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
            known: BTreeSet::new(),
            faults: Vec::new(),
        }
    }

    /// Notes a fault.
    pub(crate) fn fault(&mut self, variable: &str, message: impl Into<String>) {
        self.faults.push(Fault {
            variable: variable.to_owned(),
            message: message.into(),
        });
    }

    /// The value of a variable, or the content of the file that its `…_FILE` twin names.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let twin = format!("{name}_FILE");
        self.known.insert(name.to_owned());
        self.known.insert(twin.clone());
        let value = self.variables.get(name).cloned();
        let Some(path) = self.variables.get(&twin).cloned() else {
            return value;
        };
        if value.is_some() {
            self.fault(name, format!("is set, and so is {twin}; unset one of them"));
            return None;
        }
        match std::fs::read_to_string(&path) {
            // Editors and `echo` leave a line end that belongs to no secret.
            Ok(content) => Some(content.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                self.fault(&twin, format!("cannot read {path}: {error}"));
                None
            }
        }
    }

    /// A value that `read` understands, or the default. `read` answers what it expected instead.
    pub(crate) fn value<T>(
        &mut self,
        name: &str,
        default: T,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        match self.text(name).map(|text| read(text.trim())) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(expected)) => {
                self.fault(name, expected);
                default
            }
        }
    }

    /// Variables named like ours that nothing reads: most likely a misspelling.
    pub(crate) fn unknown(&self) -> Vec<String> {
        self.variables
            .keys()
            .filter(|name| name.starts_with("SYSNDD_") && !self.known.contains(*name))
            .cloned()
            .collect()
    }

    /// The value, unless it is missing or anything at all was wrong.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Faults> {
        value
            .filter(|_| self.faults.is_empty())
            .ok_or(Faults(self.faults))
    }
}

/// Reads a whole number within bounds.
pub(crate) fn count(
    bounds: std::ops::RangeInclusive<usize>,
) -> impl FnOnce(&str) -> Result<usize, String> {
    move |text| {
        text.parse()
            .ok()
            .filter(|number| bounds.contains(number))
            .ok_or_else(|| {
                format!(
                    "must be a number from {} to {}",
                    bounds.start(),
                    bounds.end()
                )
            })
    }
}

/// Reads a duration such as `250ms`, `30s` or `5m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    match number.parse::<u64>() {
        Ok(number) if milliseconds > 0 => {
            number.checked_mul(milliseconds).map(Duration::from_millis)
        }
        _ => None,
    }
    .ok_or_else(|| "must be a duration such as 250ms, 30s or 5m".to_owned())
}
