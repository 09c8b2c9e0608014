//! Files into and out of a container or its volumes, also of one that never started.

use std::collections::BTreeMap;

use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures::TryStreamExt as _;

use super::{Engine, EngineError, Result};

/// One entry of a small archive.
#[derive(Debug, Clone)]
pub(crate) enum ArchiveEntry<'a> {
    File {
        path: &'a str,
        content: &'a [u8],
        mode: u32,
        uid: u32,
        gid: u32,
    },
    Directory {
        path: &'a str,
        mode: u32,
        uid: u32,
        gid: u32,
    },
}

impl Engine {
    /// Unpacks `entries` below `directory` of `container`. Entries that exist are replaced, and
    /// get the owner and mode given here.
    pub(crate) async fn put_archive(
        &self,
        container: &str,
        directory: &str,
        entries: &[ArchiveEntry<'_>],
    ) -> Result<()> {
        let doing = || format!("writing to {directory} of {container}");
        let archive = pack(entries).map_err(|error| EngineError::Other {
            doing: doing(),
            cause: error.to_string(),
        })?;
        let options = UploadToContainerOptionsBuilder::new()
            .path(directory)
            .build();
        self.api
            .upload_to_container(container, Some(options), bollard::body_full(archive.into()))
            .await
            .map_err(|error| EngineError::new(doing(), error))
    }

    /// One file of `container`; `None` when it does not exist.
    pub(crate) async fn read_file(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>> {
        let archive = match self.archive(container, path).await {
            Ok(archive) => archive,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        unpack_first(&archive).map_err(|error| unreadable(container, path, &error))
    }

    /// All files below a directory of `container`, by their paths below it.
    pub(crate) async fn read_tree(
        &self,
        container: &str,
        directory: &str,
    ) -> Result<BTreeMap<String, Vec<u8>>> {
        let archive = self.archive(container, directory).await?;
        unpack_all(&archive).map_err(|error| unreadable(container, directory, &error))
    }

    async fn archive(&self, container: &str, path: &str) -> Result<Vec<u8>> {
        let options = DownloadFromContainerOptionsBuilder::new()
            .path(path)
            .build();
        let pieces: Vec<bytes::Bytes> = self
            .api
            .download_from_container(container, Some(options))
            .try_collect()
            .await
            .map_err(|error| EngineError::new(reading(container, path), error))?;
        Ok(pieces.concat())
    }
}

fn reading(container: &str, path: &str) -> String {
    format!("reading {path} of {container}")
}

fn unreadable(container: &str, path: &str, error: &std::io::Error) -> EngineError {
    EngineError::Other {
        doing: reading(container, path),
        cause: error.to_string(),
    }
}

fn pack(entries: &[ArchiveEntry<'_>]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        match *entry {
            ArchiveEntry::File {
                path,
                content,
                mode,
                uid,
                gid,
            } => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(content.len() as u64);
                owned(&mut header, mode, uid, gid);
                builder.append_data(&mut header, path, content)?;
            }
            ArchiveEntry::Directory {
                path,
                mode,
                uid,
                gid,
            } => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                owned(&mut header, mode, uid, gid);
                builder.append_data(&mut header, path, std::io::empty())?;
            }
        }
    }
    builder.into_inner()
}

fn owned(header: &mut tar::Header, mode: u32, uid: u32, gid: u32) {
    header.set_mode(mode);
    header.set_uid(uid.into());
    header.set_gid(gid.into());
}

fn unpack_first(archive: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(archive);
    let Some(entry) = archive.entries()?.next() else {
        return Ok(None);
    };
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut entry?, &mut content)?;
    Ok(Some(content))
}

/// Files by their paths below the archive's one directory.
fn unpack_all(archive: &[u8]) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.to_string_lossy().into_owned();
        let Some((_, path)) = path.split_once('/') else {
            continue;
        };
        let path = path.to_owned();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content)?;
        files.insert(path, content);
    }
    Ok(files)
}
