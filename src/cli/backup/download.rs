//! A backup on this machine: whole, or not there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::program::Program;
use crate::{
    backups::Backup,
    cli::one_off,
    error::Error,
    exit::Exit,
    output::{Board, human_size},
};

/// Copies a backup to `output`; which it was, and where it is now.
pub(super) async fn download(
    program: &Program<'_>,
    filename: Option<&str>,
    output: &Path,
) -> Result<(Backup, PathBuf), Error> {
    let all = program.list().await?;
    let backup = match filename {
        Some(name) => all.backups.iter().find(|backup| backup.filename == name),
        None => all.newest_whole(),
    };
    let backup = backup.cloned().ok_or_else(|| {
        let what = filename.map_or("there is no backup that is whole".to_owned(), |name| {
            format!("there is no backup {name}")
        });
        Error::usage(what)
            .with_hint("`sysndd-deploy backup list` shows all; `backup create` makes one")
    })?;
    let path = if output.is_dir() {
        output.join(&backup.filename)
    } else {
        output.to_owned()
    };
    if path.exists() {
        return Err(Error::usage(format!("{} is there already", path.display()))
            .with_hint("take it away, or give another name with --output"));
    }
    let cannot_write = |error: io::Error| {
        Error::usage(format!("{} cannot be written: {error}", path.display()))
            .with_hint("choose another place with --output")
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Readable to its owner alone: a backup holds all that the database does.
    let partial = NamedTempFile::new_in(directory).map_err(cannot_write)?;
    copy(program, &backup, &partial).await?;
    check(&backup, partial.path())?;
    partial
        .persist_noclobber(&path)
        .map_err(|error| cannot_write(error.error))?;
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(cannot_write)?;
    Ok((backup, path))
}

/// From a container that has the volumes of the service and is never started.
async fn copy(program: &Program<'_>, backup: &Backup, into: &NamedTempFile) -> Result<(), Error> {
    let session = &program.running.session;
    let engine = &session.engine;
    let spec = one_off::like(program.running, &program.backups.service)?;
    let from = format!(
        "{}/{}",
        program.backups.dir.trim_end_matches('/'),
        backup.filename
    );
    let file = into.as_file().try_clone();
    let file = file.map_err(|error| Error::deploy(error.to_string()))?;
    let mut board = Board::new(session.printer);
    let whole = human_size(backup.size_bytes);
    let container = engine.create_one_off(&spec, false).await?;
    let copied = tokio::select! {
        copied = engine.copy_out(&container, &from, file, |came| {
            board.detail(&backup.filename, &format!("{} of {whole}", human_size(came)));
        }) => copied.map_err(Error::from),
        () = program.interrupt.cancelled() => Err(Error::new(Exit::Interrupted, "interrupted")),
    };
    board.close();
    let removed = engine.remove(&container).await;
    let found = copied?;
    removed?;
    found.map(|_| ()).ok_or_else(|| {
        Error::usage(format!(
            "{from} is not in the containers of {}",
            program.backups.service
        ))
        .with_hint("`[backups] dir` says where backups lie")
    })
}

fn check(backup: &Backup, path: &Path) -> Result<(), Error> {
    let Some(expected) = &backup.checksum else {
        return Ok(());
    };
    let mut hash = Sha256::new();
    fs::File::open(path)
        .and_then(|mut file| io::copy(&mut file, &mut hash))
        .map_err(|error| Error::deploy(format!("reading what came: {error}")))?;
    let digits = format!("{:x}", hash.finalize());
    if digits == *expected {
        return Ok(());
    }
    Err(Error::new(
        Exit::CheckFailed,
        format!(
            "{} is not what it was when it was made: its checksum is {digits}, not {expected}; nothing was kept",
            backup.filename
        ),
    )
    .with_hint("`sysndd-deploy backup verify` says more; another backup may be whole"))
}
