//! A unit file that runs `watch` as a service of systemd. Pure.

use std::path::Path;

use tera::{Context, Tera};

const TEMPLATE: &str = include_str!("../../templates/watch.service.tera");

/// What a unit is made from. All paths are absolute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit<'a> {
    pub(crate) project: &'a str,
    pub(crate) program: &'a Path,
    /// `sysndd.toml`; the unit runs in its directory, where `.env` is.
    pub(crate) config: &'a Path,
    /// The engine, where it is not the usual one.
    pub(crate) host: Option<&'a str>,
    /// The Docker context that names it.
    pub(crate) context: Option<&'a str>,
}

impl Unit<'_> {
    /// The text of the file.
    ///
    /// # Errors
    /// What is wrong with the template, in words.
    pub(crate) fn render(&self) -> Result<String, String> {
        let directory = self.config.parent().unwrap_or(Path::new("/"));
        let mut command = vec![word(&self.program.display().to_string())];
        if let Some(host) = self.host {
            command.extend(["--host".to_owned(), word(host)]);
        }
        if let Some(context) = self.context {
            command.extend(["--context".to_owned(), word(context)]);
        }
        let config = word(&self.config.display().to_string());
        command.extend(["--config".to_owned(), config]);
        command.extend(["--project".to_owned(), word(self.project)]);
        command.extend(["--format", "json", "watch"].map(str::to_owned));
        let mut context = Context::new();
        context.insert("project", self.project);
        // Systemd takes the rest of the line for the path, quotes and all.
        let directory = directory.display().to_string().replace('%', "%%");
        context.insert("directory", &directory);
        context.insert("command", &command.join(" "));
        let mut tera = Tera::default();
        tera.add_raw_template("unit", TEMPLATE)
            .and_then(|()| tera.render("unit", &context))
            .map_err(|error| format!("{error:?}"))
    }
}

/// A word of a command line as systemd reads it: `%` begins a specifier, `$` a variable.
fn word(text: &str) -> String {
    let text = text.replace('%', "%%").replace('$', "$$");
    if text.contains(|c: char| c.is_whitespace() || "\"'\\;".contains(c)) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_names_program_stack_and_project_by_absolute_paths() {
        let unit = Unit {
            project: "demo",
            program: Path::new("/usr/local/bin/sysndd-deploy"),
            config: Path::new("/srv/my stack/100%/sysndd.toml"),
            host: None,
            context: None,
        };
        insta::assert_snapshot!(unit.render().unwrap());
    }
}
