//! What a stack needs on disk beside its file.

use std::path::{Path, PathBuf};

use super::grammar::clean;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    File,
    Directory,
    Nothing,
}

/// Looks at this machine's disk.
pub(super) fn on_disk(path: &Path) -> Found {
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Found::Directory,
        Ok(_) => Found::File,
        Err(_) => Found::Nothing,
    }
}

/// A file or directory that must be there.
pub(super) struct Needed {
    /// The reader's word for it.
    what: &'static str,
    /// Relative to `sysndd.toml`.
    path: PathBuf,
    kind: Found,
    /// Something else that is asked for, without which this cannot be there either.
    within: Option<PathBuf>,
}

impl Needed {
    pub(super) fn file(what: &'static str, path: PathBuf) -> Self {
        Self {
            what,
            path,
            kind: Found::File,
            within: None,
        }
    }

    pub(super) fn directory(what: &'static str, path: PathBuf) -> Self {
        Self {
            what,
            path,
            kind: Found::Directory,
            within: None,
        }
    }

    /// Not worth a word when this directory is not there.
    pub(super) fn within(mut self, directory: PathBuf) -> Self {
        self.within = Some(directory);
        self
    }

    /// What is wrong, and what to do; `None` when it is there.
    pub(super) fn complaint(
        &self,
        root: &Path,
        look: impl Fn(&Path) -> Found,
    ) -> Option<(String, String)> {
        let whole = |path: &Path| clean(&root.join(path));
        if let Some(directory) = &self.within
            && look(&whole(directory)) != Found::Directory
        {
            return None;
        }
        let Self { what, kind, .. } = self;
        let path = clean(&self.path);
        let path = path.display();
        match (look(&whole(&self.path)), kind) {
            (found, wanted) if found == *wanted => None,
            (Found::Directory, _) => Some((
                format!("{what} `{path}` is a directory"),
                "name a file".to_owned(),
            )),
            (Found::File, _) => Some((
                format!("{what} `{path}` is not a directory"),
                "name a directory".to_owned(),
            )),
            (Found::Nothing, _) => Some((
                format!("{what} `{path}` does not exist"),
                format!("looked for {}", whole(&self.path).display()),
            )),
        }
    }
}
