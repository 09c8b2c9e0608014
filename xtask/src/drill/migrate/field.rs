//! What all rounds share: a real MySQL, the API's image, and volumes with migration files.

use std::{fs, process::Command, time::Instant};

use anyhow::{Context as _, ensure};

use super::{files::File, round::PATIENCE};
use crate::{
    command::{capture, say},
    deploy::{Deploy, TestDatabase},
    engine::{PROJECT_LABEL, docker},
};

/// Where the volume with the files is mounted.
pub(super) const DIR: &str = "/drill";

/// Server, image and volumes; what was made is removed with this value.
pub(super) struct Field<'a> {
    pub(super) database: TestDatabase<'a>,
    pub(super) image: String,
    volumes: Vec<String>,
}

impl<'a> Field<'a> {
    pub(super) fn prepare(deploy: &'a Deploy) -> anyhow::Result<Self> {
        Ok(Self {
            image: deploy.api_image()?,
            database: TestDatabase::start(deploy)?,
            volumes: Vec::new(),
        })
    }

    /// Waits until a restarted server answers.
    pub(super) fn await_database(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = self.database.sql("mysql", "DO 1") {
            ensure!(
                Instant::now() < deadline,
                "the database does not come back: {error:#}"
            );
        }
        Ok(())
    }

    /// The label that every container and volume of this drill bears.
    pub(super) fn label(&self) -> String {
        format!("{PROJECT_LABEL}={}", self.database.stack.project)
    }

    /// A volume with these files; the answer is its name.
    pub(super) fn volume(&mut self, title: &str, files: &[File]) -> anyhow::Result<String> {
        let name = format!("{}-{title}", self.database.stack.project);
        let dir = tempfile::tempdir().context("a directory for the files")?;
        for (file, text) in files {
            fs::write(dir.path().join(file), text)?;
        }
        docker(&["volume", "create", "--label", &self.label(), &name])?;
        self.volumes.push(name.clone());
        // Files get into a volume through a container that need not run.
        let (label, mount) = (self.label(), format!("{name}:{DIR}"));
        let create = ["create", "--label", &label, "-v", &mount, &self.image];
        let container = docker(&create)?;
        let mut copy = Command::new("docker");
        copy.arg("cp")
            .arg(format!("{}/.", dir.path().display()))
            .arg(format!("{container}:{DIR}"));
        let copied = capture(&mut copy);
        docker(&["rm", &container])?;
        copied.map(|_| name)
    }
}

impl Drop for Field<'_> {
    fn drop(&mut self) {
        for volume in &self.volumes {
            if let Err(error) = docker(&["volume", "rm", volume]) {
                say(format!(
                    "a volume of the drill could not be removed: {error:#}"
                ));
            }
        }
    }
}
