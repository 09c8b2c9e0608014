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
mod read;
mod secrets;
mod show;
mod stack;
mod suggest;
mod tables;
mod template;
mod text;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

pub(crate) use environment::{Caller, Environment};
pub(crate) use fault::{ConfigErrors, Fault};
pub(crate) use show::show;
pub(crate) use stack::*;
pub(crate) use tables::MAX_REPLICAS;
pub(crate) use text::Text;

use environment::Variables;
use fault::Source;
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
    let path = std::path::absolute(environment.directory.join(path))
        .map_err(|error| unreadable(path, &error, environment))?;
    let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error, environment))?;
    let source = Source::new(shown(&path, environment), text);
    let dotenv = read_dotenv(&path.with_file_name(".env"), environment)?;
    read(&source, dotenv.as_ref(), &path, environment, files::on_disk)
}

/// The project's name, and those of `[secrets]` that neither the environment nor `.env` has a
/// value for.
///
/// # Errors
/// Everything else that is wrong with the file.
pub(crate) fn missing_secrets(
    path: &Path,
    environment: &Environment,
) -> Result<(ProjectName, Vec<(String, SecretSpec)>), ConfigErrors> {
    let mut filled = environment.clone();
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error, environment))?;
    let source = Source::new(shown(path, environment), text);
    let dotenv = read_dotenv(&path.with_file_name(".env"), environment)?;
    let entries = dotenv
        .as_ref()
        .map_or_else(Vec::new, |dotenv| dotenv::parse(dotenv.text(), &environment.variables).0);
    let (document, _) = DeTable::parse_recoverable(source.text());
    let listed = listed_secrets(document.get_ref());
    let variables = Variables::new(environment, &entries, listed.clone());
    let missing: Vec<String> = listed
        .into_iter()
        .filter(|name| variables.get(name).is_none_or(|variable| variable.value.is_empty()))
        .collect();
    for name in &missing {
        // Only to read the rest: this value goes nowhere.
        filled.variables.insert(name.clone(), "to be made".to_owned());
    }
    let stack = read(&source, dotenv.as_ref(), path, &filled, files::on_disk)?;
    let specs = missing
        .into_iter()
        .filter_map(|name| stack.secrets.get(&name).map(|spec| (name.clone(), *spec)))
        .collect();
    Ok((stack.project, specs))
}

/// A project name from the command line.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn project_name(text: &str) -> Result<ProjectName, String> {
    grammar::name(text).map_err(|problem| problem.message)?;
    Ok(ProjectName::new(text))
}

/// JSON Schema (draft 2020-12) of the file.
pub(crate) fn schema() -> Json {
    read::root_schema(&tables::file(), FILE_NAME)
}

/// Reads a stack from text; `look` tells what is on disk.
fn read(
    source: &Arc<Source>,
    dotenv: Option<&Arc<Source>>,
    path: &Path,
    environment: &Environment,
    look: impl Fn(&Path) -> Found,
) -> Result<Stack, ConfigErrors> {
    let mut faults = Vec::new();
    let entries = dotenv.map_or_else(Vec::new, |dotenv| {
        let (entries, wrong) = dotenv::parse(dotenv.text(), &environment.variables);
        faults.extend(
            wrong
                .into_iter()
                .map(|at| Fault::new(dotenv, at.span, at.message).hint(at.hint)),
        );
        entries
    });

    let (document, syntax) = DeTable::parse_recoverable(source.text());
    if !syntax.is_empty() {
        // What was saved from a broken document would only lead to faults that are none.
        faults.extend(syntax.iter().map(|error| {
            let span = error.span().unwrap_or_default();
            Fault::new(
                source,
                span,
                format!("this is not TOML: {}", error.message()),
            )
        }));
        return Err(ConfigErrors::new(faults));
    }

    let variables = Variables::new(environment, &entries, listed_secrets(document.get_ref()));
    let root = path.parent().unwrap_or(Path::new("/"));
    let home = environment.variables.get("HOME").map(PathBuf::from);
    let mut pass = Pass::new(source, &variables, environment.caller, root, home);
    let span = document.span();
    let top = toml::Spanned::new(span, DeValue::Table(document.into_inner()));
    let draft = tables::file().read(
        &Node {
            value: &top,
            place: Place::default(),
        },
        &mut pass,
    );
    let stack = draft.map(|mut stack| {
        root.clone_into(&mut stack.root);
        stack.image_prefix.clone_from(&stack.project);
        check::check(&mut stack, &mut pass);
        pass.check_files(look);
        stack
    });
    faults.extend(pass.finish());
    match stack {
        Some(stack) if faults.is_empty() => Ok(stack),
        _ => Err(ConfigErrors::new(faults)),
    }
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
