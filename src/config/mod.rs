//! `sysndd.toml` and the environment → [`Stack`], typed and validated.
//!
//! [`load`] reads the two files; everything behind it is text in, value or faults out:
//! `read` walks the document, `tables` knows its keys, `template` and `interpolate` resolve
//! `${…}`, `check` looks at the whole, `files` at what must be on disk. Every fault of one reading
//! is reported, with its place. Nothing here writes, prints or talks to the engine.

mod check;
mod dotenv;
mod environment;
mod fault;
mod files;
mod grammar;
mod interpolate;
mod origin;
mod read;
mod replacement;
mod secrets;
mod show;
mod stack;
mod suggest;
mod tables;
mod template;
mod text;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(crate) use check::{STATE_VOLUME, TLS_VOLUMES, user_of};
#[cfg(test)]
pub(crate) use environment::Caller;
pub(crate) use environment::Environment;
pub(crate) use fault::ConfigErrors;
pub(crate) use origin::{Origin, Secrets};
pub(crate) use secrets::{is_secret_name, url_passwords};
pub(crate) use show::show;
pub(crate) use stack::*;
pub(crate) use text::{Late, MASK, Part, Text};

use environment::Variables;
use fault::{Fault, Source};
use files::Found;
use read::{Node, Pass, Place, Shape};

/// Name of the file that describes a stack.
pub(crate) const FILE_NAME: &str = "sysndd.toml";

/// The nearest `sysndd.toml`: in `directory` or in one above it.
pub(crate) fn discover(directory: &Path) -> Option<PathBuf> {
    directory
        .ancestors()
        .map(|above| above.join(FILE_NAME))
        .find(|path| path.is_file())
}

/// Reads a stack from `path` and the `.env` beside it.
///
/// # Errors
/// Everything that is wrong with either, at once.
pub(crate) fn load(path: &Path, environment: &Environment) -> Result<Stack, ConfigErrors> {
    read(
        &Inputs::open(path, environment)?,
        environment,
        files::on_disk,
    )
}

/// The secrets that `path` lists and that neither the environment nor `.env` has a value for: what
/// has to be made before [`load`] can succeed. Nothing else of the file is looked at.
///
/// # Errors
/// What is wrong with `[secrets]` or with `.env`, or a file that is no TOML.
pub(crate) fn missing_secrets(
    path: &Path,
    environment: &Environment,
) -> Result<BTreeMap<String, SecretSpec>, ConfigErrors> {
    let inputs = Inputs::open(path, environment)?;
    let (entries, mut faults) = inputs.dotenv_entries(environment);
    let document = inputs.document()?;
    let variables = Variables::new(environment, &entries, Vec::new());
    let mut pass = inputs.pass(&variables, environment);
    let secrets = document.get_ref().get("secrets").and_then(|value| {
        let place = Place::of(["secrets"]);
        pass.visit(place.clone(), None, value.span());
        tables::secrets().read(&Node { value, place }, &mut pass)
    });
    faults.extend(pass.finish());
    if !faults.is_empty() {
        return Err(ConfigErrors::new(faults));
    }
    let mut secrets = secrets.unwrap_or_default();
    secrets.retain(|name, _| variables.get(name).is_none_or(|set| set.value.is_empty()));
    Ok(secrets)
}

/// The part of `[migrations]` that concerns the files alone, its directory made absolute; `None`
/// where the file has no such table. Nothing else of the file is looked at, so that it needs no
/// secret.
///
/// # Errors
/// What is wrong with that part or with `.env`, or a file that is no TOML.
pub(crate) fn migration_files(
    path: &Path,
    environment: &Environment,
) -> Result<Option<MigrationFiles>, ConfigErrors> {
    let inputs = Inputs::open(path, environment)?;
    let (entries, mut faults) = inputs.dotenv_entries(environment);
    let document = inputs.document()?;
    let variables = Variables::new(environment, &entries, listed_secrets(document.get_ref()));
    let mut pass = inputs.pass(&variables, environment);
    let files = document.get_ref().get("migrations").and_then(|value| {
        let place = Place::of(["migrations"]);
        pass.visit(place.clone(), None, value.span());
        tables::migration_files().read(&Node { value, place }, &mut pass)
    });
    pass.check_files(files::on_disk);
    faults.extend(pass.finish());
    if !faults.is_empty() {
        return Err(ConfigErrors::new(faults));
    }
    Ok(files.map(|mut files| {
        files.dir = inputs.root().join(&files.dir);
        files
    }))
}

/// A project name from the command line.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn project_name(text: &str) -> Result<ProjectName, String> {
    grammar::name(text).map_err(|problem| problem.message)?;
    Ok(ProjectName::new(text))
}

/// A duration from the command line: `90s`, `1m30s`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    grammar::duration(text).map_err(|problem| problem.message)
}

/// JSON Schema (draft 2020-12) of the file.
pub(crate) fn schema() -> Json {
    read::root_schema(&tables::file(), FILE_NAME)
}

/// Reads a stack from text; `look` tells what is on disk.
fn read(
    inputs: &Inputs,
    environment: &Environment,
    look: impl Fn(&Path) -> Found,
) -> Result<Stack, ConfigErrors> {
    let (entries, mut faults) = inputs.dotenv_entries(environment);
    let document = match inputs.document() {
        Ok(document) => document,
        Err(syntax) => return Err(syntax.and(faults)),
    };
    let variables = Variables::new(environment, &entries, listed_secrets(document.get_ref()));
    let mut pass = inputs.pass(&variables, environment);
    let stack = walk(document, &mut pass);
    pass.check_files(look);
    let origin = Origin::of(inputs, environment, &variables, &pass);
    faults.extend(pass.finish());
    match stack {
        Some(stack) if faults.is_empty() => Ok(Stack {
            origin: Arc::new(origin),
            ..stack
        }),
        _ => Err(ConfigErrors::new(faults)),
    }
}

/// The stack of a document, checked as a whole; what is wrong with it is noted in the pass.
fn walk(document: Spanned<DeTable<'_>>, pass: &mut Pass<'_>) -> Option<Stack> {
    let top = Spanned::new(document.span(), DeValue::Table(document.into_inner()));
    let draft = tables::file().read(
        &Node {
            value: &top,
            place: Place::default(),
        },
        pass,
    );
    draft.map(|mut stack| {
        pass.root.clone_into(&mut stack.root);
        stack.image_prefix.clone_from(&stack.project);
        check::check(&mut stack, pass);
        stack
    })
}

/// Names under `[secrets]`. They are needed before the rest is read, for what they make secret.
fn listed_secrets(document: &DeTable<'_>) -> Vec<String> {
    document
        .get("secrets")
        .and_then(|secrets| secrets.get_ref().as_table())
        .map(|secrets| {
            secrets
                .keys()
                .map(|name| name.get_ref().to_string())
                .collect()
        })
        .unwrap_or_default()
}

/// The text that a stack is read from.
struct Inputs {
    /// Absolute.
    path: PathBuf,
    file: Arc<Source>,
    /// The `.env` beside it, when there is one.
    dotenv: Option<Arc<Source>>,
}

impl Inputs {
    fn open(path: &Path, environment: &Environment) -> Result<Self, ConfigErrors> {
        let path = std::path::absolute(environment.directory.join(path))
            .map_err(|error| unreadable(path, &error, environment))?;
        let text =
            fs::read_to_string(&path).map_err(|error| unreadable(&path, &error, environment))?;
        let file = Source::new(shown(&path, environment), text);
        let dotenv = read_dotenv(&path.with_file_name(".env"), environment)?;
        Ok(Self { path, file, dotenv })
    }

    /// What relative paths are relative to.
    fn root(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Assignments of `.env`, and what is wrong with it.
    fn dotenv_entries(&self, environment: &Environment) -> (Vec<dotenv::Entry>, Vec<Fault>) {
        let Some(source) = &self.dotenv else {
            return (Vec::new(), Vec::new());
        };
        let (entries, wrong) = dotenv::parse(source.text(), &environment.variables);
        let fault = |at: dotenv::DotenvFault| Fault::new(source, at.span, at.message).hint(at.hint);
        (entries, wrong.into_iter().map(fault).collect())
    }

    /// The file as TOML. What can be saved from a broken one would only lead to faults that are
    /// none, so nothing is.
    fn document(&self) -> Result<Spanned<DeTable<'_>>, ConfigErrors> {
        let (document, wrong) = DeTable::parse_recoverable(self.file.text());
        if wrong.is_empty() {
            return Ok(document);
        }
        let fault = |error: &toml::de::Error| {
            let message = format!("this is not TOML: {}", error.message());
            Fault::new(&self.file, error.span().unwrap_or_default(), message)
        };
        Err(ConfigErrors::new(wrong.iter().map(fault).collect()))
    }

    fn pass<'a>(&'a self, variables: &'a Variables, environment: &Environment) -> Pass<'a> {
        let home = environment.variables.get("HOME").map(PathBuf::from);
        Pass::new(&self.file, variables, environment.caller, self.root(), home)
    }
}

/// The `.env` file, when there is one.
fn read_dotenv(
    path: &Path,
    environment: &Environment,
) -> Result<Option<Arc<Source>>, ConfigErrors> {
    let name = shown(path, environment);
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(Source::private(name, text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let fault = Fault::of_file(name, format!("it cannot be read: {error}"));
            Err(fault
                .hint("give yourself the right to read it, or move it away")
                .into())
        }
    }
}

fn unreadable(path: &Path, error: &io::Error, environment: &Environment) -> ConfigErrors {
    let name = shown(path, environment);
    let fault = match error.kind() {
        io::ErrorKind::NotFound => Fault::of_file(name, "there is no such file")
            .hint("go to the directory of your sysndd.toml, or name the file with --config"),
        _ => Fault::of_file(name, format!("it cannot be read: {error}"))
            .hint("name another file with --config"),
    };
    fault.into()
}

/// A path as the reader of a message would write it.
fn shown(path: &Path, environment: &Environment) -> String {
    let short = path.strip_prefix(&environment.directory).unwrap_or(path);
    short.display().to_string()
}

#[cfg(test)]
mod tests;
