//! The application's own program for backups. It runs in a container like those of its service, so that
//! no replica has to be well; what it says is described in docs/reference/backups.md.

use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::super::{one_off, running::Running};
use crate::{
    backups, config,
    docker::{Conversation, Piece},
    error::Error,
    exit::Exit,
    output::Printer,
};

/// The program.
pub(super) struct Program<'a> {
    pub(super) running: &'a Running,
    pub(super) backups: &'a config::Backups,
    pub(super) interrupt: CancellationToken,
}

impl Program<'_> {
    /// All backups, the newest first.
    pub(super) async fn list(&self) -> Result<backups::List, Error> {
        self.ask(&["list", "--format", "json"]).await
    }

    /// Runs it with these words; its last line is the answer. What it says beside goes to stderr as it
    /// comes.
    pub(super) async fn ask<T: DeserializeOwned>(&self, words: &[&str]) -> Result<T, Error> {
        let session = &self.running.session;
        let mut spec = one_off::like(self.running, &self.backups.service)?;
        let mut command = self.backups.command.iter().cloned();
        spec.entrypoint = command.next().map(|program| vec![program]);
        spec.command = Some(
            command
                .chain(words.iter().map(ToString::to_string))
                .collect(),
        );
        let (engine, printer) = (&session.engine, session.printer);
        let (said, code) = one_off::run(engine, &spec, false, async |conversation| {
            let with = conversation.with.clone();
            let said = listen(conversation, printer, &self.interrupt).await?;
            Ok((said, engine.exit_code(&with).await?))
        })
        .await?;
        let program = self.backups.command.join(" ");
        let what = format!("`{program} {}`", words.join(" "));
        if code != 0 {
            return Err(Error::new(
                Exit::CheckFailed,
                format!("{what} ended with exit code {code}"),
            ));
        }
        backups::answer(&said).map_err(|cause| {
            Error::new(Exit::CheckFailed, format!("{what} {cause}"))
                .with_hint("what `[backups] command` must answer is in docs/reference/backups.md")
        })
    }
}

/// What comes on its standard output.
async fn listen(
    mut conversation: Conversation,
    printer: Printer,
    interrupt: &CancellationToken,
) -> Result<Vec<u8>, Error> {
    let mut said = Vec::new();
    loop {
        tokio::select! {
            piece = conversation.output.next() => match piece {
                Some(Ok(Piece::Out(bytes))) => said.extend_from_slice(&bytes),
                Some(Ok(Piece::Err(bytes))) => printer.error_bytes(&bytes),
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(said),
            },
            () = interrupt.cancelled() => {
                return Err(Error::new(Exit::Interrupted, "interrupted"));
            }
        }
    }
}
