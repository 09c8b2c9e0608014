//! The shipped `sysndd.toml` with other times, in a directory outside the repository: whatever is added
//! there may be part of a build context.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::command::root;

/// Removed with this value.
pub(crate) struct StackFile(TempDir);

/// How paths are written that are below the directory of the file.
const PATHS: [&str; 5] = [
    "= \"images/",
    "context = \".",
    "context = \"crates/",
    "= \"templates/",
    "dir = \"migrations",
];
const ENVIRONMENT: &str = "[services.api.environment]\n";

impl StackFile {
    /// With these variables for the replicas beside those that are shipped.
    pub(crate) fn with(environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("a directory for the stack's file")?;
        let shipped = std::fs::read_to_string(root().join("sysndd.toml")).context("sysndd.toml")?;
        let text = changed(&shipped, &root(), environment)?;
        std::fs::write(directory.path().join("sysndd.toml"), text)?;
        Ok(Self(directory))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("sysndd.toml")
    }
}

fn changed(shipped: &str, root: &Path, environment: &[(&str, &str)]) -> anyhow::Result<String> {
    let mut text = shipped.to_owned();
    for path in PATHS {
        ensure!(text.contains(path), "sysndd.toml has no `{path}` any more");
        let (before, after) = path.split_once('"').context("a quoted path")?;
        // `.` is the directory itself.
        let after = after.trim_start_matches('.');
        let root = root.display();
        let slash = if after.is_empty() { "" } else { "/" };
        text = text.replace(path, &format!("{before}\"{root}{slash}{after}"));
    }
    ensure!(
        text.contains(ENVIRONMENT),
        "sysndd.toml has no {ENVIRONMENT}"
    );
    let mut lines = ENVIRONMENT.to_owned();
    for (name, value) in environment {
        lines.push_str(&format!("{name} = \"{value}\"\n"));
    }
    Ok(text.replace(ENVIRONMENT, &lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_can_lie_elsewhere() {
        let shipped = std::fs::read_to_string(root().join("sysndd.toml")).expect("sysndd.toml");
        let text = changed(&shipped, Path::new("/there"), &[("SYSNDD_JOB_LEASE", "5s")])
            .expect("all paths are known");
        for line in [
            "recipe = \"/there/images/mysql\"",
            "context = \"/there\"",
            "context = \"/there/crates/listener\"",
            "template = \"/there/templates/upstream.conf.tera\"",
            "dir = \"/there/migrations\"",
            "[services.api.environment]\nSYSNDD_JOB_LEASE = \"5s\"",
        ] {
            assert!(text.contains(line), "{line}");
        }
    }
}
