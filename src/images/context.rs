//! The build context: which files go to the engine, as a tar stream.
//!
//! Two contexts with the same names, modes and contents have the same digest, whatever their
//! times. The archive does carry times, rounded *up* to a second: compilers that keep a cache
//! between builds compare them, and must never think a change to be older than its product.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::bytes::Bytes;
use walkdir::WalkDir;

use super::dockerignore::{Ignore, Sources};
use crate::docker::ByteStream;

/// Bytes that are put together before they are sent.
const CHUNK: usize = 256 * 1024;
/// Chunks that may wait for the engine.
const CHUNKS_AHEAD: usize = 8;

/// Files for a build, in the order of their paths.
#[derive(Debug, Default)]
pub(crate) struct Context {
    entries: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug)]
enum Entry {
    Directory {
        mode: u32,
        mtime: u64,
    },
    File {
        source: PathBuf,
        mode: u32,
        mtime: u64,
    },
    Symlink {
        target: PathBuf,
        mtime: u64,
    },
    Bytes(Vec<u8>),
}

/// A file of the context could not be read.
#[derive(Debug, thiserror::Error)]
#[error("reading `{}` for the build context: {source}\nhint: mend it, or name it in .dockerignore", .path.display())]
pub(crate) struct ContextError {
    path: PathBuf,
    source: io::Error,
}

impl ContextError {
    pub(crate) fn new(path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self {
            path: path.into(),
            source: source.into(),
        }
    }
}

impl Context {
    /// Everything below `root` that is not ignored. Sockets, pipes and devices are left out.
    pub(crate) fn of_directory(root: &Path, ignore: &Ignore) -> Result<Self, ContextError> {
        let mut context = Self::default();
        context.add_directory(root, Path::new(""), ignore)?;
        Ok(context)
    }

    /// Everything below `root` that is not ignored, placed under `prefix`.
    pub(crate) fn add_directory(
        &mut self,
        root: &Path,
        prefix: &Path,
        ignore: &Ignore,
    ) -> Result<(), ContextError> {
        // Directories that are ignored themselves, but may hold something that is not.
        let mut withheld: BTreeMap<PathBuf, Entry> = BTreeMap::new();
        let mut walk = WalkDir::new(root)
            .min_depth(1)
            .sort_by_file_name()
            .into_iter();
        while let Some(found) = walk.next() {
            let found = found.map_err(|error| {
                let path = error.path().unwrap_or(root).to_path_buf();
                ContextError::new(path, error)
            })?;
            let relative = found.path().strip_prefix(root).unwrap_or(found.path());
            let ignored = ignore.ignores(relative);
            let is_directory = found.file_type().is_dir();
            if ignored && is_directory && !ignore.may_keep_below(relative) {
                walk.skip_current_dir();
                continue;
            }
            if ignored && !is_directory {
                continue;
            }
            let Some(entry) = Entry::read(found.path())? else {
                continue;
            };
            let path = prefix.join(relative);
            if ignored {
                withheld.insert(path, entry);
                continue;
            }
            for parent in path.ancestors().skip(1) {
                if let Some(entry) = withheld.remove(parent) {
                    self.entries.insert(parent.to_path_buf(), entry);
                }
            }
            self.entries.insert(path, entry);
        }
        Ok(())
    }

    /// Drops what `sources` cannot reach, patterns as in `COPY`. A source that leads through a link
    /// may end anywhere, so then everything stays.
    pub(crate) fn keep_only(&mut self, sources: &Sources) {
        let through_a_link = self.entries.iter().any(|(path, entry)| {
            matches!(entry, Entry::Symlink { .. }) && sources.names_or_passes(path)
        });
        if !through_a_link {
            self.entries.retain(|path, _| sources.reaches(path));
        }
    }

    /// One more file, or another content for it.
    pub(crate) fn add_bytes(&mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) {
        self.entries.insert(path.into(), Entry::Bytes(bytes.into()));
    }

    /// One more file, read from `source` when it is sent.
    pub(crate) fn add_file(&mut self, path: &Path, source: &Path) -> Result<(), ContextError> {
        if let Some(entry) = Entry::read(source)? {
            self.entries.insert(path.to_path_buf(), entry);
        }
        Ok(())
    }

    /// Names, modes and contents, as 64 hex digits. Reads every file.
    pub(crate) fn digest(&self) -> Result<String, ContextError> {
        let mut all = Sha256::new();
        for (path, entry) in &self.entries {
            let (kind, mode, content) = match entry {
                Entry::Directory { mode, .. } => ("directory", *mode, Vec::new()),
                Entry::File { source, mode, .. } => ("file", *mode, file_digest(source)?),
                Entry::Symlink { target, .. } => (
                    "symlink",
                    0o777,
                    Sha256::digest(target.as_os_str().as_encoded_bytes()).to_vec(),
                ),
                Entry::Bytes(bytes) => ("file", 0o644, Sha256::digest(bytes).to_vec()),
            };
            // Lengths go first, so that no two different contexts feed the same bytes.
            let path = path.as_os_str().as_encoded_bytes();
            all.update((path.len() as u64).to_be_bytes());
            all.update(path);
            all.update(format!("{kind} {mode:o} {}\n", content.len()));
            all.update(&content);
        }
        Ok(format!("{:x}", all.finalize()))
    }

    /// The archive, read and sent piece by piece.
    pub(crate) fn into_stream(self) -> ByteStream {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        tokio::task::spawn_blocking(move || {
            let writer = BufWriter::with_capacity(CHUNK, ChannelWriter(sender.clone()));
            if let Err(error) = self.write(writer) {
                // The receiver is gone when the engine gave up first; it knows why.
                drop(sender.blocking_send(Err(error)));
            }
        });
        futures::stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        })
        .boxed()
    }

    fn write(self, writer: impl Write) -> io::Result<()> {
        let mut archive = tar::Builder::new(writer);
        for (path, entry) in &self.entries {
            entry
                .append(path, &mut archive)
                .map_err(|error| io::Error::new(error.kind(), ContextError::new(path, error)))?;
        }
        archive.into_inner()?.flush()
    }
}

impl Entry {
    /// `None` for what cannot be sent.
    fn read(path: &Path) -> Result<Option<Self>, ContextError> {
        let failed = |error| ContextError::new(path, error);
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        let mode = metadata.permissions().mode() & 0o7777;
        let whole = u64::try_from(metadata.mtime()).unwrap_or_default();
        let mtime = whole + u64::from(metadata.mtime_nsec() > 0);
        Ok(if metadata.is_dir() {
            Some(Self::Directory { mode, mtime })
        } else if metadata.is_file() {
            Some(Self::File {
                source: path.to_path_buf(),
                mode,
                mtime,
            })
        } else if metadata.is_symlink() {
            Some(Self::Symlink {
                target: fs::read_link(path).map_err(failed)?,
                mtime,
            })
        } else {
            None
        })
    }

    fn append(&self, path: &Path, archive: &mut tar::Builder<impl Write>) -> io::Result<()> {
        match self {
            Self::Directory { mode, mtime } => {
                let mut header = header(tar::EntryType::Directory, *mode, *mtime, 0);
                archive.append_data(&mut header, path, io::empty())
            }
            Self::File {
                source,
                mode,
                mtime,
            } => {
                let file = File::open(source)?;
                let size = file.metadata()?.len();
                let mut header = header(tar::EntryType::Regular, *mode, *mtime, size);
                archive.append_data(&mut header, path, Exactly { file, left: size })
            }
            Self::Symlink { target, mtime } => {
                let mut header = header(tar::EntryType::Symlink, 0o777, *mtime, 0);
                archive.append_link(&mut header, path, target)
            }
            Self::Bytes(bytes) => {
                let mut header = header(tar::EntryType::Regular, 0o644, 0, bytes.len() as u64);
                archive.append_data(&mut header, path, bytes.as_slice())
            }
        }
    }
}

/// Owner and group are 0: who owns the files here means nothing there.
fn header(kind: tar::EntryType, mode: u32, mtime: u64, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(mtime);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// A file that must have the length that the header promised: a file that grows or shrinks
/// meanwhile would shift everything after it.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let read = (&mut self.file).take(self.left).read(buffer)?;
        if read == 0 {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

struct ChannelWriter(mpsc::Sender<io::Result<Bytes>>);

impl Write for ChannelWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .blocking_send(Ok(Bytes::copy_from_slice(bytes)))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine stopped reading"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn file_digest(path: &Path) -> Result<Vec<u8>, ContextError> {
    let failed = |error| ContextError::new(path, error);
    let mut digest = Sha256::new();
    io::copy(&mut File::open(path).map_err(failed)?, &mut digest).map_err(failed)?;
    Ok(digest.finalize().to_vec())
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::{fs::symlink, net::UnixListener},
        time::{Duration, SystemTime},
    };

    use futures::TryStreamExt;

    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        fs::create_dir_all(path.join("src/empty")).unwrap();
        fs::write(path.join("src/main.rs"), "fn main() {}").unwrap();
        fs::write(path.join("run.sh"), "#!/bin/sh").unwrap();
        fs::set_permissions(path.join("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
        symlink("src/main.rs", path.join("link")).unwrap();
        symlink("/nowhere", path.join("dangling")).unwrap();
        root
    }

    fn context(root: &Path, ignore: &str) -> Context {
        let ignore = Ignore::parse(ignore, Path::new(".dockerignore")).unwrap();
        Context::of_directory(root, &ignore).unwrap()
    }

    async fn archive(context: Context) -> Vec<u8> {
        let chunks: Vec<Bytes> = context.into_stream().try_collect().await.unwrap();
        chunks.concat()
    }

    /// Path, kind, mode and link target of each entry.
    fn listing(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let kind = match header.entry_type() {
                tar::EntryType::Directory => 'd',
                tar::EntryType::Symlink => 'l',
                _ => '-',
            };
            let path = entry.path().unwrap().display().to_string();
            let link = entry
                .link_name()
                .unwrap()
                .map(|to| format!(" -> {}", to.display()));
            let mode = header.mode().unwrap();
            assert_eq!(
                (header.uid().unwrap(), header.gid().unwrap()),
                (0, 0),
                "{path}"
            );
            format!("{kind}{mode:o} {path}{}", link.unwrap_or_default())
        });
        entries.collect()
    }

    #[tokio::test]
    async fn everything_is_sent_sorted_with_its_mode_and_links_as_links() {
        let root = tree();
        let _socket = UnixListener::bind(root.path().join("socket")).unwrap();
        assert_eq!(
            listing(&archive(context(root.path(), "")).await),
            [
                "l777 dangling -> /nowhere",
                "l777 link -> src/main.rs",
                "-750 run.sh",
                "d755 src",
                "d755 src/empty",
                "-644 src/main.rs",
            ]
        );
    }

    #[tokio::test]
    async fn a_kept_file_brings_the_ignored_directories_above_it() {
        let root = tree();
        fs::create_dir_all(root.path().join("target/a/b")).unwrap();
        fs::write(root.path().join("target/a/b/keep"), "").unwrap();
        fs::write(root.path().join("target/a/drop"), "").unwrap();
        let context = context(root.path(), "*\n!target/a/b/keep\n");
        let expected = [
            "d755 target",
            "d755 target/a",
            "d755 target/a/b",
            "-644 target/a/b/keep",
        ];
        assert_eq!(listing(&archive(context).await), expected);
    }

    #[test]
    fn a_context_that_is_not_there_is_an_error_with_its_path() {
        let error = Context::of_directory(Path::new("/not/there"), &Ignore::nothing()).unwrap_err();
        assert!(error.to_string().contains("/not/there"), "{error}");
    }

    #[tokio::test]
    async fn only_what_the_dockerfile_reads_is_sent() {
        let root = tree();
        fs::create_dir_all(root.path().join("docs/deep")).unwrap();
        fs::write(root.path().join("docs/deep/a.md"), "").unwrap();
        for (sources, expected) in [
            (
                &["src"][..],
                &["d755 src", "d755 src/empty", "-644 src/main.rs"][..],
            ),
            (
                &["/run.sh", "./docs/deep/a.md"],
                &["-644 docs/deep/a.md", "-750 run.sh"],
            ),
            (&["*.sh"], &["-750 run.sh"]),
            (&[], &[]),
        ] {
            let mut sent = context(root.path(), "");
            sent.keep_only(&Sources::new(sources).unwrap());
            assert_eq!(listing(&archive(sent).await), expected, "{sources:?}");
        }
        for everything in [".", "/", "link", "dangling/x", "*"] {
            let mut sent = context(root.path(), "");
            sent.keep_only(&Sources::new(&[everything]).unwrap());
            assert_eq!(listing(&archive(sent).await).len(), 9, "{everything}");
        }
    }

    #[test]
    fn the_digest_follows_content_name_mode_and_target_but_not_time() {
        let root = tree();
        let digest = || context(root.path(), "").digest().unwrap();
        let (first, run, link) = (
            digest(),
            root.path().join("run.sh"),
            root.path().join("link"),
        );

        let later = SystemTime::now() + Duration::from_secs(1000);
        File::options()
            .write(true)
            .open(&run)
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert_eq!(digest(), first, "another time");

        fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
        let second = digest();
        assert_ne!(second, first, "another mode");
        fs::write(&run, "#!/bin/bash").unwrap();
        let third = digest();
        assert_ne!(third, second, "another content");
        fs::rename(&run, root.path().join("run2.sh")).unwrap();
        let fourth = digest();
        assert_ne!(fourth, third, "another name");
        fs::remove_file(&link).unwrap();
        symlink("elsewhere", &link).unwrap();
        assert_ne!(digest(), fourth, "another target");
    }

    #[tokio::test]
    async fn times_are_rounded_up_so_that_a_change_is_never_older_than_it_was() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "x").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        for (time, expected) in [
            (Duration::from_millis(10_001), 11),
            (Duration::from_secs(10), 10),
        ] {
            file.set_modified(SystemTime::UNIX_EPOCH + time).unwrap();
            let bytes = archive(context(root.path(), "")).await;
            let mut archive = tar::Archive::new(bytes.as_slice());
            let entry = archive.entries().unwrap().next().unwrap().unwrap();
            assert_eq!(entry.header().mtime().unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn long_names_large_files_and_bytes_arrive_whole() {
        let root = tempfile::tempdir().unwrap();
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
        fs::create_dir(root.path().join("d".repeat(120))).unwrap();
        let large = vec![7; 3 * CHUNK + 1];
        fs::write(root.path().join(&long), &large).unwrap();
        let mut sent = context(root.path(), "");
        sent.add_bytes("extra", "given");
        let bytes = archive(sent).await;
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.push((entry.path().unwrap().display().to_string(), content));
        }
        assert_eq!(found[1], (long, large));
        assert_eq!(found[2], ("extra".to_owned(), b"given".to_vec()));
    }

    #[tokio::test]
    async fn a_file_that_vanishes_ends_the_stream_with_its_name() {
        let root = tree();
        let context = context(root.path(), "");
        fs::remove_file(root.path().join("run.sh")).unwrap();
        let error = context
            .into_stream()
            .try_collect::<Vec<_>>()
            .await
            .unwrap_err();
        assert!(error.to_string().contains("run.sh"), "{error}");
    }
}
