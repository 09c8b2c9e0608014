//! Files into and out of a container or its volumes, also of one that never started.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read},
};

use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;

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

    /// Copies a file of `container` into `file`, piece by piece; `on_piece` hears how much has come.
    /// The answer is its length; `None` when it does not exist.
    pub(crate) async fn copy_out(
        &self,
        container: &str,
        path: &str,
        mut file: File,
        mut on_piece: impl FnMut(u64),
    ) -> Result<Option<u64>> {
        let options = DownloadFromContainerOptionsBuilder::new()
            .path(path)
            .build();
        let mut pieces = self.api.download_from_container(container, Some(options));
        // A slow disk holds the engine up, and not our memory.
        let (sender, receiver) = mpsc::channel(4);
        let unpacking = tokio::task::spawn_blocking(move || {
            let mut archive = tar::Archive::new(Pieces::new(receiver));
            let Some(entry) = archive.entries()?.next() else {
                return Ok(0);
            };
            let mut entry = entry?;
            let length = entry.header().size()?;
            let copied = std::io::copy(&mut entry, &mut file)?;
            if copied != length {
                let cause = format!("it ended after {copied} of {length} bytes");
                return Err(std::io::Error::new(ErrorKind::UnexpectedEof, cause));
            }
            file.sync_all()?;
            Ok(length)
        });
        let mut came = 0;
        while let Some(piece) = pieces.next().await {
            let piece =
                match piece.map_err(|error| EngineError::new(reading(container, path), error)) {
                    Ok(piece) => piece,
                    Err(error) if error.is_not_found() => return Ok(None),
                    Err(error) => return Err(error),
                };
            came += piece.len() as u64;
            on_piece(came);
            // What follows the file concerns nobody.
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        drop(sender);
        let copied = unpacking.await.unwrap_or_else(|panic| Err(panic.into()));
        copied
            .map(Some)
            .map_err(|error| unreadable(container, path, &error))
    }

    async fn archive(&self, container: &str, path: &str) -> Result<Vec<u8>> {
        let options = DownloadFromContainerOptionsBuilder::new()
            .path(path)
            .build();
        let pieces: Vec<Bytes> = self
            .api
            .download_from_container(container, Some(options))
            .try_collect()
            .await
            .map_err(|error| EngineError::new(reading(container, path), error))?;
        Ok(pieces.concat())
    }
}

/// What comes in pieces, to be read as one.
struct Pieces {
    from: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Pieces {
    fn new(from: mpsc::Receiver<Bytes>) -> Self {
        Self {
            from,
            rest: Bytes::new(),
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.rest.is_empty() {
            match self.from.blocking_recv() {
                Some(piece) => self.rest = piece,
                None => return Ok(0),
            }
        }
        let length = into.len().min(self.rest.len());
        into[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
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
    entry?.read_to_end(&mut content)?;
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
        entry.read_to_end(&mut content)?;
        files.insert(path, content);
    }
    Ok(files)
}
