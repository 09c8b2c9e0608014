//! What a stack was read from, fit to be recorded, and reading it again from that.
//!
//! No secret is part of it: a variable that is one stands there with its name, and a value of the
//! file in which one is written out is masked and known by its place. Nothing here writes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Inputs, Stack,
    environment::{Caller, Environment, Variables},
    fault::{ConfigErrors, Fault, Source},
    listed_secrets,
    read::Pass,
    text::MASK,
    walk,
};

/// The file and all else that a reading took from its surroundings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// Absolute path of the file; what relative paths in it are relative to is above it.
    pub(crate) path: PathBuf,
    /// Text of the file, values that hold a secret as `***`.
    pub(crate) text: String,
    /// Keys on the way to each of those values.
    #[serde(default)]
    pub(crate) hidden: Vec<Vec<String>>,
    /// The variables that were looked up.
    pub(crate) variables: BTreeMap<String, Recorded>,
    /// What `~` meant.
    pub(crate) home: Option<PathBuf>,
    /// Who `uid = "host"` and `gid = "host"` meant.
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A variable as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Recorded {
    Value(String),
    /// It was set, and its value is nobody's business.
    Secret,
    Unset,
}

/// Where secrets are found now: the environment, the `.env` and the file of today.
pub(crate) struct Secrets {
    variables: Variables,
    /// The file, when it can be read; for secrets that are written out in it.
    file: Option<Arc<Source>>,
}

impl Secrets {
    /// Those beside `path`, which need not be a readable stack.
    ///
    /// # Errors
    /// What is wrong with `.env`.
    pub(crate) fn beside(path: &Path, environment: &Environment) -> Result<Self, ConfigErrors> {
        let path = environment.directory.join(path);
        let text = std::fs::read_to_string(&path).ok();
        let inputs = Inputs {
            dotenv: super::read_dotenv(&path.with_file_name(".env"), environment)?,
            file: Source::new(
                super::shown(&path, environment),
                text.clone().unwrap_or_default(),
            ),
            path,
        };
        let (entries, faults) = inputs.dotenv_entries(environment);
        if !faults.is_empty() {
            return Err(ConfigErrors::new(faults));
        }
        Ok(Self {
            variables: Variables::new(environment, &entries, Vec::new()),
            file: text.map(|_| inputs.file),
        })
    }
}

impl Origin {
    pub(super) fn of(
        inputs: &Inputs,
        environment: &Environment,
        variables: &Variables,
        pass: &Pass<'_>,
    ) -> Self {
        let mut text = inputs.file.text().to_owned();
        let mut spans: Vec<_> = pass.hidden().values().cloned().collect();
        spans.sort_by_key(|span| std::cmp::Reverse(span.start));
        for span in spans {
            text.replace_range(span, &format!("\"{MASK}\""));
        }
        Self {
            path: inputs.path.clone(),
            text,
            hidden: pass.hidden().keys().map(super::Place::steps).collect(),
            variables: variables.recorded(),
            home: pass.home.clone(),
            uid: environment.caller.uid,
            gid: environment.caller.gid,
        }
    }

    /// Names of the variables that are needed and must be kept secret.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.variables
            .iter()
            .filter(|(_, recorded)| **recorded == Recorded::Secret)
            .map(|(name, _)| name.as_str())
    }

    /// The stack as it was read then, with the secrets of now. What the file names on disk is not
    /// looked for: images were made of it.
    ///
    /// # Errors
    /// Secrets that are not there any more; a file that this program does not understand any more.
    pub(crate) fn stack(&self, secrets: &Secrets) -> Result<Stack, ConfigErrors> {
        let name = format!("the recorded {}", self.path.display());
        let missing: Vec<Fault> = self
            .secrets()
            .filter(|name| secrets.variables.get(name).is_none())
            .map(|secret| {
                Fault::of_file(
                    &name,
                    format!("it needs the secret `{secret}`, which is not set"),
                )
                .hint(format!(
                    "secrets are recorded by name only: write {secret}=… into .env as it was then"
                ))
            })
            .collect();
        if !missing.is_empty() {
            return Err(ConfigErrors::new(missing));
        }
        let inputs = Inputs {
            file: Source::new(name.as_str(), self.unmasked(&name, secrets)?),
            path: self.path.clone(),
            dotenv: None,
        };
        let document = inputs.document()?;
        let listed = listed_secrets(document.get_ref());
        let variables = Variables::replayed(&self.variables, &secrets.variables, listed);
        let caller = Caller {
            uid: self.uid,
            gid: self.gid,
        };
        let mut pass = Pass::new(
            &inputs.file,
            &variables,
            caller,
            inputs.root(),
            self.home.clone(),
        );
        let stack = walk(document, &mut pass);
        let faults = pass.finish();
        match stack {
            Some(stack) if faults.is_empty() => Ok(Stack {
                origin: Arc::new(self.clone()),
                ..stack
            }),
            _ => Err(ConfigErrors::new(faults)),
        }
    }

    /// The text with today's value at each place where a secret was written out.
    fn unmasked(&self, name: &str, secrets: &Secrets) -> Result<String, ConfigErrors> {
        let mut text = self.text.clone();
        if self.hidden.is_empty() {
            return Ok(text);
        }
        let lost = |place: &[String]| {
            Fault::of_file(
                name,
                format!("a secret was written out at `{}`, and is not there now", place.join(".")),
            )
            .hint("write it there again, or better: into .env, with a reference such as ${DB_PASSWORD} in its place")
        };
        let today = secrets.file.as_ref().map_or("", |file| file.text());
        let (then, _) = DeTable::parse_recoverable(&self.text);
        let (now, _) = DeTable::parse_recoverable(today);
        let mut values = Vec::new();
        for place in &self.hidden {
            let (masked, value) = (span_at(&then, place), span_at(&now, place));
            let (Some(masked), Some(value)) = (masked, value) else {
                return Err(lost(place).into());
            };
            values.push((masked, &today[value]));
        }
        values.sort_by_key(|(masked, _)| std::cmp::Reverse(masked.start));
        for (masked, value) in values {
            text.replace_range(masked, value);
        }
        Ok(text)
    }
}

/// Bytes of the value at a place.
fn span_at(document: &Spanned<DeTable<'_>>, place: &[String]) -> Option<std::ops::Range<usize>> {
    let (first, rest) = place.split_first()?;
    let mut value = document.get_ref().get(first.as_str())?;
    for step in rest {
        value = match value.get_ref() {
            DeValue::Table(table) => table.get(step.as_str())?,
            DeValue::Array(array) => array.get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value.span())
}
