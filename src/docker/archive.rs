//! Files into and out of a container or its volumes, also of one that never started.

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
        let doing = || format!("reading {path} of {container}");
        let options = DownloadFromContainerOptionsBuilder::new()
            .path(path)
            .build();
        let archive: Vec<bytes::Bytes> = match self
            .api
            .download_from_container(container, Some(options))
            .try_collect()
            .await
        {
            Ok(pieces) => pieces,
            Err(error) => {
                let error = EngineError::new(doing(), error);
                return if error.is_not_found() {
                    Ok(None)
                } else {
                    Err(error)
                };
            }
        };
        unpack_first(&archive.concat()).map_err(|error| EngineError::Other {
            doing: doing(),
            cause: error.to_string(),
        })
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
