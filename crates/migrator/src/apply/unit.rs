//! Running one unit of a file, in the way that makes its end certain.

use super::Applier;
use super::note::Note;
use crate::classify::Object;
use crate::error::{MigrateError, server_code};
use crate::files::MigrationFile;
use crate::ledger::Doubt;
use crate::point::Point;
use crate::session::RunError;
use crate::units::{How, Unit, Units};

/// So many warnings of one statement are logged.
const MOST_WARNINGS: usize = 20;
/// How often row changes are tried that the server undid because of a deadlock.
const DEADLOCK_TRIES: u32 = 5;
const DEADLOCK: u16 = 1213;

/// How a unit ended that did not end well.
pub(super) struct Failure {
    /// Index of the statement.
    pub(super) statement: usize,
    pub(super) cause: Cause,
    /// Whether the session must be replaced before anything else is done on it.
    pub(super) dirty: bool,
    /// Statements that are certainly done, and whether the unit itself is in doubt.
    pub(super) done: usize,
    pub(super) in_doubt: bool,
}

pub(super) enum Cause {
    Run(RunError),
    Ours(MigrateError),
    OpenTransaction,
}

impl Applier<'_> {
    /// Runs the unit at this index. `note` is what stands in the ledger, and what does after it.
    pub(super) async fn unit(
        &mut self,
        file: &MigrationFile,
        units: &Units,
        at: usize,
        note: &mut Note,
    ) -> Result<(), Failure> {
        let unit = &units.units[at];
        match &unit.how {
            How::Rows => *note = self.rows_until_no_deadlock(file, units, at, true).await?,
            How::Transaction => *note = self.rows_until_no_deadlock(file, units, at, false).await?,
            How::Definition(objects) => {
                if !note.covers(at) {
                    *note = self.note_down(file, units, at).await?;
                }
                self.events.reached(Point::StatementNoted);
                let before_hash = note.before(objects);
                self.definition(file, unit, objects, before_hash).await?;
            }
            How::Opaque { dirties, .. } => {
                *note = Note::default();
                self.opaque(file, units, unit, *dirties).await?;
            }
        }
        Ok(())
    }

    /// Row changes that lose against another connection took no effect, and are made again.
    async fn rows_until_no_deadlock(
        &mut self,
        file: &MigrationFile,
        units: &Units,
        at: usize,
        ours: bool,
    ) -> Result<Note, Failure> {
        for attempt in 1..DEADLOCK_TRIES {
            match self.rows(file, units, at, ours).await {
                Err(failure) if failure.is_deadlock() => {
                    let (name, line) = (file.name(), file.statements()[failure.statement].line);
                    tracing::warn!(
                        file = name,
                        line,
                        attempt,
                        "{name}:{line}: deadlock, nothing took effect; once more"
                    );
                    if let Err(error) = self.run("ROLLBACK").await {
                        return Err(Failure {
                            cause: Cause::Run(error),
                            ..failure
                        });
                    }
                }
                other => return other,
            }
        }
        self.rows(file, units, at, ours).await
    }

    /// Row changes and the progress in one transaction: exactly once. It is `ours`, or the file's.
    /// What the next unit needs noted is noted with it.
    async fn rows(
        &mut self,
        file: &MigrationFile,
        units: &Units,
        index: usize,
        ours: bool,
    ) -> Result<Note, Failure> {
        let unit = &units.units[index];
        // Whatever happens before the commit is undone with the session.
        let undone = |statement, cause| Failure {
            statement,
            cause,
            dirty: true,
            done: unit.first,
            in_doubt: false,
        };
        let run = |statement| move |error| undone(statement, Cause::Run(error));
        // The file's own COMMIT waits until the ledger has joined.
        let (last, commit) = if ours {
            (unit.last, "COMMIT")
        } else {
            (unit.last - 1, &*file.statements()[unit.last].text)
        };
        if ours {
            self.run("BEGIN").await.map_err(run(unit.first))?;
            self.events.reached(Point::StatementNoted);
        }
        for at in unit.first..=last {
            self.statement(file, at).await.map_err(run(at))?;
        }
        let ours = |error| undone(unit.last, Cause::Ours(error));
        let note = self.note_for(units, index + 1).await.map_err(ours)?;
        self.checkpoint(file, unit.last + 1, &note.doubt)
            .await
            .map_err(ours)?;
        self.events.reached(Point::BeforeCommit);
        self.run(commit).await.map_err(run(unit.last))?;
        self.events.reached(Point::Checkpointed);
        Ok(note)
    }

    /// Writes down what this definition needs before it begins, and that all before it is done.
    async fn note_down(
        &mut self,
        file: &MigrationFile,
        units: &Units,
        at: usize,
    ) -> Result<Note, Failure> {
        let statement = units.units[at].first;
        let ours = |error| Failure {
            statement,
            cause: Cause::Ours(error),
            dirty: false,
            done: statement,
            in_doubt: false,
        };
        let note = self.note_for(units, at).await.map_err(ours)?;
        self.checkpoint(file, statement, &note.doubt)
            .await
            .map_err(ours)?;
        self.events.reached(Point::Checkpointed);
        Ok(note)
    }

    /// One definition, noted down before with what its targets look like.
    async fn definition(
        &mut self,
        file: &MigrationFile,
        unit: &Unit,
        objects: &[Object],
        before_hash: Option<String>,
    ) -> Result<(), Failure> {
        let at = unit.first;
        let Err(error) = self.statement(file, at).await else {
            // That it is done is written with the next unit, or with the file's end. Until then
            // the changed definition tells.
            return Ok(());
        };
        // Refused, so nothing happened; and if something did, a person looks.
        let now = self.definitions(objects).await;
        let unchanged = before_hash.is_some() && now.is_ok_and(|now| now == before_hash);
        Err(Failure {
            statement: at,
            cause: Cause::Run(error),
            dirty: false,
            done: at,
            in_doubt: !unchanged,
        })
    }

    /// Statements between whose begin and end nothing is known.
    async fn opaque(
        &mut self,
        file: &MigrationFile,
        units: &Units,
        unit: &Unit,
        dirties: bool,
    ) -> Result<(), Failure> {
        let first = unit.first;
        let failure = |statement, cause, done, in_doubt| Failure {
            statement,
            cause,
            dirty: true,
            done,
            in_doubt,
        };
        let doubt = Doubt {
            statement: Some(first + 1),
            before_hash: None,
        };
        self.checkpoint(file, first, &doubt)
            .await
            .map_err(|error| failure(first, Cause::Ours(error), first, false))?;
        self.events.reached(Point::Checkpointed);
        self.events.reached(Point::StatementNoted);
        for at in first..=unit.last {
            let cause = match self.statement(file, at).await {
                Ok(true) if at == unit.last => Cause::OpenTransaction,
                Ok(_) => continue,
                Err(error) => Cause::Run(error),
            };
            return Err(if file.may_rerun() {
                failure(at, cause, 0, false)
            } else {
                failure(at, cause, first, !units.guarded(first, at))
            });
        }
        if dirties {
            self.renew()
                .await
                .map_err(|error| failure(unit.last, Cause::Ours(error), first, true))?;
        }
        if !(file.may_rerun() || units.guarded(first, unit.last)) {
            // Its end was seen. A death from here on must not make a question of it.
            let done = unit.last + 1;
            self.checkpoint(file, done, &Doubt::default())
                .await
                .map_err(|error| failure(unit.last, Cause::Ours(error), done, false))?;
            self.events.reached(Point::Checkpointed);
        }
        Ok(())
    }

    /// Runs one statement; true when it leaves a transaction open.
    async fn statement(&mut self, file: &MigrationFile, at: usize) -> Result<bool, RunError> {
        let statement = &file.statements()[at];
        let events = self.events;
        let run = self.dialer.run(&mut self.conn, &statement.text);
        let ran = under_way(run, || events.reached(Point::StatementRunning)).await?;
        self.events.reached(Point::StatementDone);
        if ran.warnings > 0 {
            self.log_warnings(file, at, ran.warnings).await;
        }
        Ok(ran.in_transaction)
    }

    /// Logs the server's warnings about a statement, with their texts where asking for them
    /// changes nothing for the next one.
    async fn log_warnings(&mut self, file: &MigrationFile, at: usize, count: u16) {
        let (name, line) = (file.name(), file.statements()[at].line);
        let texts = if reads_leftovers(file) {
            Vec::new()
        } else {
            self.dialer.warnings(&mut self.conn).await
        };
        for (level, code, text) in texts.iter().take(MOST_WARNINGS) {
            // `DROP TABLE IF EXISTS` of a table that is not there is a note.
            if level == "Note" {
                tracing::info!(
                    file = name,
                    line,
                    statement = at + 1,
                    code,
                    "{name}:{line}: {text}"
                );
            } else {
                tracing::warn!(
                    file = name,
                    line,
                    statement = at + 1,
                    code,
                    "{name}:{line}: {text}"
                );
            }
        }
        let untold = usize::from(count).saturating_sub(texts.len().min(MOST_WARNINGS));
        if untold > 0 {
            tracing::warn!(
                file = name,
                line,
                statement = at + 1,
                "{name}:{line}: {untold} more warnings"
            );
        }
    }

    async fn run(&mut self, statement: &str) -> Result<(), RunError> {
        self.dialer.run(&mut self.conn, statement).await.map(|_| ())
    }
}

/// Whether a statement of the file asks for what the one before it left in the session, so that
/// nothing may be asked in between.
fn reads_leftovers(file: &MigrationFile) -> bool {
    file.statements().iter().any(|statement| {
        let text = statement.text.to_ascii_uppercase();
        [
            "ROW_COUNT",
            "FOUND_ROWS",
            "DIAGNOSTICS",
            "WARNING_COUNT",
            "ERROR_COUNT",
            "SHOW WARNINGS",
        ]
        .iter()
        .any(|word| text.contains(word))
    })
}

impl Failure {
    /// Whether the server undid the whole transaction in favour of another one.
    fn is_deadlock(&self) -> bool {
        matches!(&self.cause, Cause::Run(RunError::Statement(error)) if server_code(error) == Some(DEADLOCK))
    }
}

/// Tells of the moment at which the work has begun and has to wait: the statement is sent, its
/// answer is not there.
async fn under_way<T>(work: impl Future<Output = T>, tell: impl FnOnce()) -> T {
    tokio::pin!(work);
    let mut tell = Some(tell);
    std::future::poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        if polled.is_pending()
            && let Some(tell) = tell.take()
        {
            tell();
        }
        polled
    })
    .await
}
