//! A stack as a Compose file. Pure: the template lays out what is worked out here, and the result is
//! read back before anybody gets it. It never holds the value of a secret.

mod view;

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;
use serde_json::Value;
use tera::{Context, Tera};

use crate::{
    config::{BaseName, ServiceName, Stack},
    edge::EdgeError,
};

const TEMPLATE: &str = include_str!("../../templates/docker-compose.yml.tera");

/// What a Compose file is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compose<'a> {
    pub(crate) stack: &'a Stack,
    /// Where the file will stand: paths below it are written as relative ones.
    pub(crate) directory: &'a Path,
    /// Text of the template of the edge's upstream list; empty without an edge.
    pub(crate) edge_template: &'a str,
    /// What the images of the services are called, as far as they are there.
    pub(crate) images: &'a BTreeMap<ServiceName, String>,
    /// What the base images are called, as far as they are there.
    pub(crate) bases: &'a BTreeMap<BaseName, String>,
}

/// Why there is no Compose file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComposeError {
    /// Where, in the words of `sysndd.toml`.
    #[error("{0} holds a secret that is written out, which a Compose file must not")]
    WrittenOut(String),
    #[error("base image {0} is not here, and has no reference in a registry")]
    NoBase(BaseName),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error("the template of the Compose file: {0}")]
    Template(String),
    #[error("the Compose file that was written is not what was meant: {0}")]
    NotReadable(String),
}

/// What the template is given.
#[derive(Serialize)]
struct File {
    /// Of the stack, for people.
    stack: String,
    name: String,
    secrets: Vec<String>,
    services: Vec<view::Service>,
    volumes: Vec<String>,
}

impl Compose<'_> {
    /// The text of the file.
    ///
    /// # Errors
    /// A secret that is no reference, an image that has no name, a template at fault.
    pub(crate) fn render(&self) -> Result<String, ComposeError> {
        let file = self.file()?;
        let fault = |error: tera::Error| ComposeError::Template(format!("{error:?}"));
        let mut tera = Tera::default();
        tera.add_raw_template("compose", TEMPLATE).map_err(fault)?;
        let context = Context::from_serialize(&file).map_err(fault)?;
        let text = tera.render("compose", &context).map_err(fault)?;
        check(&text, &file)?;
        Ok(text)
    }

    fn file(&self) -> Result<File, ComposeError> {
        let stack = self.stack;
        let mut services = Vec::new();
        for service in stack.services.values() {
            services.push(view::service(self, service)?);
        }
        services.extend(view::upstream_writer(self)?);
        let mut secrets: Vec<String> = stack.secrets.keys().cloned().collect();
        secrets.sort();
        Ok(File {
            stack: stack.project.to_string(),
            // Beside a stack of the same file that was not brought up by Compose.
            name: view::quoted(&format!("{}-compose", stack.project)),
            secrets,
            services,
            volumes: stack.volumes.keys().map(ToString::to_string).collect(),
        })
    }
}

/// Reads the file back: the same services, none of them with a name that only one container can have.
fn check(text: &str, file: &File) -> Result<(), ComposeError> {
    let read: Value =
        serde_yaml::from_str(text).map_err(|error| ComposeError::NotReadable(error.to_string()))?;
    let services = read["services"].as_object();
    let mut found: Vec<&String> = services.into_iter().flat_map(|map| map.keys()).collect();
    let mut meant: Vec<&String> = file.services.iter().map(|service| &service.key).collect();
    found.sort();
    meant.sort();
    if found != meant {
        return Err(ComposeError::NotReadable(format!(
            "its services are {found:?}, not {meant:?}"
        )));
    }
    let named = |service: &Value| service.get("container_name").is_some();
    if services.is_some_and(|services| services.values().any(named)) {
        return Err(ComposeError::NotReadable(
            "a container has a fixed name".into(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
