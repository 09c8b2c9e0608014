//! Mounts, and paths: on this machine, inside containers, of URLs.

use std::path::{Component, Path, PathBuf};

use crate::config::{
    read::Problem,
    stack::{Mount, MountSource, VolumeName},
};

/// `SOURCE:TARGET[:ro|rw]`, as in Compose. A bind mount's source stays as it is written.
pub(in crate::config) fn mount(text: &str) -> Result<Mount, Problem> {
    const FORMS: &str = "write \"volume:/path\", \"./directory:/path\" or \"volume:/path:ro\"";
    let problem = |why: &str| Problem::new(format!("`{text}` is not a mount: {why}"), FORMS);
    let mut parts = text.split(':');
    let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
        return Err(problem(
            "it has no target; a volume without a name would be lost",
        ));
    };
    let read_only = match (parts.next(), parts.next()) {
        (None | Some("rw"), None) => false,
        (Some("ro"), None) => true,
        _ => return Err(problem("after the target stands neither ro nor rw")),
    };
    let source = mount_source(source).map_err(|why| problem(&why))?;
    let target = container_path(target)?;
    Ok(Mount {
        source,
        target,
        read_only,
        chown: false,
    })
}

/// A path is a bind mount, a name is a volume.
pub(in crate::config) fn mount_source(text: &str) -> Result<MountSource, String> {
    if text.starts_with(['/', '.', '~']) {
        Ok(MountSource::Bind(PathBuf::from(text)))
    } else if text.is_empty() {
        Err("it has no source".to_owned())
    } else if text.contains('/') {
        Err("a path begins with /, ./ or ~/".to_owned())
    } else {
        Ok(MountSource::Volume(VolumeName::new(text)))
    }
}

/// A bind mount's path, absolute and without `.` and `..`.
pub(in crate::config) fn bind_path(
    path: &Path,
    root: &Path,
    home: Option<&Path>,
) -> Result<PathBuf, Problem> {
    let path = match (path.strip_prefix("~"), home) {
        (Err(_), _) => root.join(path),
        (Ok(rest), Some(home)) => home.join(rest),
        (Ok(_), None) => {
            return Err(Problem::new(
                "`~` means nothing: HOME is not set",
                "write the whole path",
            ));
        }
    };
    Ok(clean(&path))
}

/// A path without `.` and `..`, by its text alone.
pub(in crate::config) fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            Component::ParentDir if out.has_root() => {}
            other => out.push(other),
        }
    }
    out
}

/// An absolute path inside a container.
pub(in crate::config) fn container_path(text: &str) -> Result<String, Problem> {
    if !text.starts_with('/') || text.split('/').any(|step| step == "..") {
        return Err(Problem::new(
            format!("`{text}` is not an absolute path"),
            "paths inside a container begin with / and have no ..",
        ));
    }
    Ok(text.to_owned())
}

/// A directory in memory: its path, and mount options after a colon.
pub(in crate::config) fn tmpfs(text: &str) -> Result<String, Problem> {
    container_path(text.split(':').next().unwrap_or_default())?;
    Ok(text.to_owned())
}

/// The path of a URL.
pub(in crate::config) fn url_path(text: &str) -> Result<String, Problem> {
    let printable = text.chars().all(|c| c.is_ascii_graphic());
    if text.starts_with('/') && printable {
        return Ok(text.to_owned());
    }
    Err(Problem::new(
        format!("`{text}` is not a path"),
        "it begins with / and has no blanks",
    ))
}

/// The address of a site: `https://sysndd.example.org`, with a port if need be, and nothing behind it.
pub(in crate::config) fn site_url(text: &str) -> Result<String, Problem> {
    let is_whole = |url: &reqwest::Url| {
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let nobody = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && bare && nobody
    };
    match reqwest::Url::parse(text) {
        Ok(url) if is_whole(&url) => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(Problem::new(
            format!("`{text}` is not the address of a site"),
            "write scheme and host, and no path: \"https://www.example.org\"",
        )),
    }
}

/// A path on this machine, relative to the file.
pub(in crate::config) fn local_path(text: &str) -> Result<PathBuf, Problem> {
    if text.is_empty() {
        return Err(Problem::new(
            "the path is empty",
            "write . for the directory of the file",
        ));
    }
    Ok(PathBuf::from(text))
}

/// The name of a file, without a directory.
pub(in crate::config) fn file_name(text: &str) -> Result<String, Problem> {
    if text.is_empty() || text.contains('/') || text == "." || text == ".." {
        return Err(Problem::new(
            format!("`{text}` is not a file's name"),
            "write it without a directory",
        ));
    }
    Ok(text.to_owned())
}
