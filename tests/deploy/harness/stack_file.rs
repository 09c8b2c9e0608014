//! `sysndd.toml` with something changed, in a directory of its own.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use toml::{Table, Value};

/// The directory of the shipped `sysndd.toml`.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of the shipped file. It lies outside the repository, because whatever is added there may
/// be part of a build context.
pub(crate) struct StackFile {
    directory: TempDir,
    stack: Table,
}

impl StackFile {
    /// The shipped one; its paths made absolute.
    pub(crate) fn shipped() -> Self {
        let text = std::fs::read_to_string(root().join("sysndd.toml")).expect("sysndd.toml");
        let mut stack: Table = text.parse().expect("sysndd.toml is TOML");
        for (_, base) in stack["bases"]["images"]
            .as_table_mut()
            .expect("base images")
        {
            make_absolute(&mut base["recipe"]);
        }
        for (_, service) in stack["services"].as_table_mut().expect("services") {
            if let Some(build) = service.get_mut("build") {
                make_absolute(&mut build["context"]);
            }
        }
        make_absolute(&mut stack["edge"]["template"]);
        make_absolute(&mut stack["edge"]["maintenance"]);
        make_absolute(&mut stack["migrations"]["dir"]);
        let file = Self {
            directory: TempDir::new().expect("a temporary directory"),
            stack,
        };
        file.write();
        file
    }

    /// Another stack, with these files beside it.
    pub(crate) fn of(text: &str, files: &[(&str, &str)]) -> Self {
        let file = Self {
            directory: TempDir::new().expect("a temporary directory"),
            stack: text.parse().expect("the text is TOML"),
        };
        for (name, content) in files {
            std::fs::write(file.directory().join(name), content).expect("a file");
        }
        file.write();
        file
    }

    /// One service `app` from a Dockerfile of its own, so that its images are nobody else's; `more` is the
    /// rest of the file.
    pub(crate) fn alone(project: &str, dockerfile: &str, more: &str) -> Self {
        let recipe = root().join("images/debian");
        let stack = format!(
            r#"
project = "{project}"
[bases]
registry_timeout = "3s"
[bases.images.debian]
registry = "debian:trixie-slim"
recipe = "{}"
[services.app]
command = ["sleep", "600"]
stop_grace_period = "100ms"
[services.app.build]
bases = ["debian"]
args = {{ CONTENT = "${{CONTENT:-1}}" }}
{more}"#,
            recipe.display()
        );
        Self::of(&stack, &[("Dockerfile", dockerfile)])
    }

    /// The light one, with images in the place of what they are built from: it can be brought up
    /// where nothing can be built.
    pub(super) fn light(images: &[(String, String)]) -> Self {
        let directory = root().join("tests/stacks");
        let text = std::fs::read_to_string(directory.join("light.toml")).expect("light.toml");
        let mut stack: Table = text.parse().expect("light.toml is TOML");
        let bases = stack["bases"]["images"]
            .as_table_mut()
            .expect("base images");
        bases.retain(|name, _| name == "debian" || name == "nginx");
        for (_, base) in bases {
            make_absolute_in(&directory, &mut base["recipe"]);
        }
        let services = stack["services"].as_table_mut().expect("services");
        for (service, image) in images {
            let service = services[service].as_table_mut().expect("a service");
            service.remove("build");
            service.insert("image".to_owned(), image.clone().into());
        }
        make_absolute_in(&directory, &mut stack["edge"]["template"]);
        let file = Self {
            directory: TempDir::new().expect("a temporary directory"),
            stack,
        };
        file.write();
        file
    }

    /// Takes `a.b.c` away.
    pub(crate) fn without(mut self, key: &str) -> Self {
        let (above, last) = key.rsplit_once('.').expect("a key in a table");
        let table = above
            .split('.')
            .try_fold(&mut self.stack, |table, step| {
                table.get_mut(step)?.as_table_mut()
            })
            .unwrap_or_else(|| panic!("there is no table {above}"));
        assert!(table.remove(last).is_some(), "there is no {key}");
        self.write();
        self
    }

    /// Sets `a.b.c`, whether it was there or not.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        let mut steps: Vec<&str> = key.split('.').collect();
        let last = steps.pop().expect("a key");
        let mut table = &mut self.stack;
        for step in steps {
            table = table
                .entry(step)
                .or_insert_with(|| Value::Table(Table::new()))
                .as_table_mut()
                .unwrap_or_else(|| panic!("{step} of {key} is no table"));
        }
        table.insert(last.to_owned(), value.into());
        self.write();
        self
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("sysndd.toml")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self) {
        let text = toml::to_string(&self.stack).expect("a table can be written");
        std::fs::write(self.path(), text).expect("the file can be written");
    }
}

fn make_absolute(path: &mut Value) {
    make_absolute_in(&root(), path);
}

fn make_absolute_in(directory: &Path, path: &mut Value) {
    let relative = path.as_str().expect("a path").to_owned();
    *path = directory.join(relative).display().to_string().into();
}
